"""Badges of the kept results: small SVG files, which README shows."""

import os
import re
import subprocess
from html import escape
from pathlib import Path

import pandas as pd

from vitexplore.claims.render import counted_words, deciding_words
from vitexplore.io import write_text

LETTER, PAD = 7, 6  # pixels: the width that a letter takes at most on average, and the space on each side of a text
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{label}: {value}">
<title>{label}: {value}</title>
<rect width="{width}" height="20" rx="3" fill="#444"/>
<path d="M{split} 0h{inner}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H{split}z" fill="#05629a"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="{label_middle}" y="14">{label}</text>
<text x="{value_middle}" y="14">{value}</text>
</g>
</svg>
"""


def badge(label: str, value: str) -> str:
    """SVG 20 pixels high: ``label`` on grey, then ``value`` on blue."""
    split, rest = (LETTER * len(text) + 2 * PAD for text in (label, value))
    return SVG.format(
        label=escape(label),
        value=escape(value),
        width=split + rest,
        split=split,
        inner=rest - 3,
        label_middle=split / 2,
        value_middle=split + rest / 2,
    )


def values(table: pd.DataFrame, scale: str) -> dict[str, tuple[str, str]]:
    """Label and value of each badge of a claims table, by name: the words of the statements that the paper makes."""
    words = deciding_words(table)
    return {"statements": (f"{len(words)} statements of the paper ({scale})", counted_words(words))}


def write_badges(claims: Path, scale: str, folder: Path, checkout: Path) -> None:
    """Draw the badges of ``claims`` (claims.csv of ``scale``) into ``folder``, in place of those that are there. Where
    ``checkout`` is a git repository, one names its last commit."""
    found = values(pd.read_csv(claims), scale)
    asked = ["git", "-C", str(checkout), "log", "-1", "--format=%h, %cs"]
    if commit := subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip():
        found["kept"] = ("results kept at", commit)
    for old in folder.glob("*.svg"):
        old.unlink()
    for name, (label, value) in found.items():
        write_text(folder / f"{name}.svg", badge(label, value))


def badges_line(folder: Path, page: Path) -> str:
    """The badges of ``folder``, each a link to the claims beside it, in markdown for the file ``page``."""
    base = Path(os.path.relpath(folder, page.parent))
    titles = {path.name: re.search("<title>(.*)</title>", path.read_text())[1] for path in sorted(folder.glob("*.svg"))}
    return "\n".join(f"[![{title}]({base / name})]({base.parent / 'claims.md'})" for name, title in titles.items())
