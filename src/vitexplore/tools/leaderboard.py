"""The leaderboard's files, made from its entries, which are checked first."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from vitexplore.claims.entry import problems
from vitexplore.claims.leaderboard import leaderboard, to_html, to_markdown
from vitexplore.claims.text import Claim, claims_in_order
from vitexplore.errors import InputError
from vitexplore.graph import CHECKOUT
from vitexplore.io import write_text
from vitexplore.tools.blocks import with_table

KEPT = CHECKOUT / "results/leaderboard"  # leaderboard.csv, leaderboard.html and entries/<model>.json
PAGE = CHECKOUT / "docs/leaderboard.md"
BLOCK = "leaderboard"  # of a page: the short table


def update(folder: Path, pages: tuple[Path, ...], check: bool) -> int:
    """Bring leaderboard.csv and leaderboard.html of ``folder``, and the blocks of ``pages``, up to date with the
    entries in folder/entries; with ``check`` nothing is written. Says on the terminal what is wrong with an entry and,
    with ``check``, which file is not up to date, a line each; 1 where there is any, else 0. Raises InputError where
    there are no entries."""
    claims = {name: claim for name, claim in claims_in_order(CHECKOUT / "analyses").items() if claim}
    entries = read_entries(folder)
    wrong = [f"{name}.json: {each}" for name, entry in entries.items() for each in _problems(name, entry, claims)]
    if not wrong:
        files = made(folder, entries, claims) | {page: _with_block(page, entries) for page in pages}
        stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
        if check:
            wrong = [f"{path}: is not what the entries say; run `vitexplore leaderboard`" for path in stale]
        else:
            for path in stale:
                write_text(path, files[path])
    console = Console(soft_wrap=True, highlight=False)
    for line in wrong:
        console.print(line, markup=False)
    return int(bool(wrong))


def read_entries(folder: Path) -> dict[str, Any]:
    """By file name, without suffix. Raises InputError where there is none, and for a file that is no JSON."""
    found = {}
    for path in sorted((folder / "entries").glob("*.json")):
        try:
            found[path.stem] = json.loads(path.read_text())
        except ValueError as error:
            raise InputError(f"{path}: {error}; copy the file that `vitexplore assess` wrote") from error
    if not found:
        raise InputError(f"{folder / 'entries'}: no entries there; copy results/assess/MODEL/claims.json there")
    return found


def made(folder: Path, entries: dict[str, Any], claims: dict[str, Claim]) -> dict[Path, str]:
    """The text of each file of ``folder`` that is made."""
    table = leaderboard(entries.values(), claims)
    return {
        folder / "leaderboard.csv": table.to_csv(index=False, float_format="%.6g"),
        folder / "leaderboard.html": to_html(entries, claims),
    }


def _problems(name: str, entry: Any, claims: dict[str, Claim]) -> list[str]:
    found = problems(entry, claims, CHECKOUT)
    if not found and not name.startswith(entry["model"]["key"]):
        return [f"is of {entry['model']['name']}: name the file {entry['model']['key']}.json"]
    return found


def _with_block(page: Path, entries: dict[str, Any]) -> str:
    return with_table(page.read_text(), BLOCK, to_markdown(entries.values()))
