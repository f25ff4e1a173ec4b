"""The claims page of a results folder: the claims table, with intervals drawn and links to what lies behind it."""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from vitexplore.claims.decide import PAPER
from vitexplore.claims.instrument import KEPT, VALID
from vitexplore.claims.render import HOW_TO_READ, STATEMENTS, deciding_words, interval, statement_cells, tally
from vitexplore.claims.run import REHEARSED, RUN
from vitexplore.claims.text import Claim, claims_in_order
from vitexplore.claims.twins import twins_shown
from vitexplore.statistics.verdict import DIFFERS, NOT_SEEN, ON_PAPER_MODELS, OPPOSITE, SEEN, WEAKER, in_order

PAGE, FRAGMENT = "claims.html", "claims/table.html"  # the fragment: the first table, for the report
ATLAS = "atlas/index.html"  # beside the page, where the scale makes one
ITEMS = "figures/paper.csv"  # the paper's figures and tables as drawn here
WIDTH, EDGE = 280, 12  # of a drawn interval, in SVG units
# the mark and the colour of each word; all other words say that nothing was decided
KINDS = {SEEN: "holds", WEAKER: "partly", DIFFERS: "partly", NOT_SEEN: "none", OPPOSITE: "fails"}
KINDS |= {there: KINDS[here] for here, there in ON_PAPER_MODELS.items()}
OPEN = "open"


@dataclass(frozen=True)
class Drawing:
    """Where the marks of an interval's drawing lie, from its left edge in SVG units; ``wanted``: start and width."""

    measured: tuple[float, float, float]  # low, value, high
    control: tuple[float, float, float] | None
    margin: float
    wanted: tuple[float, float]
    zero: float
    paper: float | None


def drawing(row: Mapping[str, Any]) -> Drawing | None:
    """Of a statement's row of the claims table; None where a number of it is not finite."""
    measured = [row[name] for name in ("low", "measured", "high")]
    control = [row[name] for name in ("control_low", "control", "control_high")]
    has_control, has_paper = pd.notna(row["control"]), pd.notna(row["paper"])
    paper = row["paper"] if has_paper else row["margin"]
    values = [*measured, *(control if has_control else []), row["margin"], paper, 0]
    if not all(map(isfinite, values)):
        return None
    low, span = min(values), max(values) - min(values)

    def at(value: float) -> float:
        return round(EDGE + (value - low) / span * (WIDTH - 2 * EDGE), 1)

    margin = at(row["margin"])
    wanted = (margin, WIDTH - margin) if row["direction"] == "above" else (0, margin)
    own_paper, of_control = at(paper) if has_paper else None, tuple(map(at, control)) if has_control else None
    return Drawing(tuple(map(at, measured)), of_control, margin, wanted, at(0), own_paper)


def claims_page(folder: Path, root: Path, atlas: bool = False) -> str:
    """The page of ``folder`` (results/<scale>, or a kept one), from the files there: claims.csv, run.json and
    figures/paper.csv where they are; and from the kept table of twins. Links to texts and code lead to the checkout
    ``root``, where that table lies too; with ``atlas``, others to the features that decide a claim."""
    run = json.loads((folder / RUN).read_text()) if (folder / RUN).exists() else None
    template = environment().get_template("page.html.jinja")
    claims = _claims(folder, root, atlas)
    words = deciding_words(pd.read_csv(folder / "claims.csv"))
    counts = sorted(Counter(words).items(), key=lambda pair: in_order(pair[0]))
    rehearsed = REHEARSED if run and run.get("rehearsal") else ""
    how = _sentences(HOW_TO_READ)
    return template.render(
        run=run, rehearsed=rehearsed, claims=claims, counts=counts, total=len(words), how=how, width=WIDTH
    )


def claims_fragment(folder: Path, root: Path) -> str:
    """The page's first table alone, as HTML to stand in another page of the same folder."""
    return environment().get_template("fragment.html.jinja").render(claims=_claims(folder, root), page=PAGE)


def _claims(folder: Path, root: Path, atlas: bool = False) -> list[dict[str, Any]]:
    table = pd.read_csv(folder / "claims.csv")
    texts = claims_in_order(root / "analyses")
    found = []
    for name, rows in table.groupby("claim", sort=False):
        head = rows.iloc[0].to_dict()
        claim = texts[name]
        found.append(
            {
                "name": name,
                "text": claim.text if claim else {"title": ""},
                "head": {key: "" if pd.isna(value) else value for key, value in head.items()},
                "statements": (statements := _statements(table, rows.index[1:], claim)),
                "words": _counted([one["row"]["word"] for one in statements if one["of_paper"]]),
                "twins": _twins(claim, root / KEPT) if claim else [],
                "links": _links(folder, root, claim, atlas) if claim else {},
                "items_drawn": _items(folder, name),
            }
        )
    return found


def _counted(words: list[str]) -> list[tuple[str, str]]:
    """Each word with how many statements have it, such as ``2 of 3 seen``; the word alone where all have it."""
    if len(set(words)) == 1:
        return [(words[0], words[0])]
    counts = Counter(words)
    return [(word, f"{counts[word]} of {len(words)} {word}") for word in sorted(counts, key=in_order)]


def _statements(table: pd.DataFrame, places: pd.Index, claim: Claim) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for place in places:
        row = table.loc[place].to_dict()
        if pd.isna(row["scope"]):
            found[-1]["each"].append((row["model"], interval(row), "" if pd.isna(row["word"]) else row["word"]))
            continue
        cells = dict(zip(STATEMENTS, statement_cells(row, tally(table, place)), strict=True))
        named = ("" if pd.isna(row[column]) else row[column] for column in ("model", "weights_sha256"))
        weights = zip(*(each.split() for each in named), strict=True)  # none where no model can be asked
        found.append(
            {
                "text": claim.statements[row["statement"]],
                "of_paper": row["role"] == PAPER,
                "row": row,
                "measured": cells["measured (95% interval)"],
                "wanted": cells["wanted"],
                "control": cells["control"],
                "n": cells["n"],
                "instrument": cells["instrument"],
                "why": cells["word"].removeprefix(row["word"]).strip(" ()"),
                "least": cells["least effect"],
                "released": claim.statements[row["statement"]].get("released"),
                "paper": f"{row['paper']:.3g}" if pd.notna(row["paper"]) else "",
                "drawing": drawing(row),
                "models": list(weights),
                "each": [],
            }
        )
    return found


def _twins(claim: Claim, kept: Path) -> list[tuple[str, list[dict[str, Any]]]]:
    """What each statement says, and the rows of its twins as text."""
    return [
        (claim.statements[name]["says"], [_twin_cells(row) for row in rows])
        for name, rows in twins_shown(claim, kept).items()
    ]


def _twin_cells(row: Mapping[str, Any]) -> dict[str, str]:
    wrong = "" if row["instrument"] in ("", VALID) else f" ({row['instrument']})"
    return {
        "twin": row["twin"],
        "kind": row["kind"],
        "strength": f"{row['strength']:g}",
        "wanted": row["wanted"],
        "measured": interval(row),
        "word": f"{row['word']}{wrong}",
    }


def _links(folder: Path, root: Path, claim: Claim, atlas: bool) -> dict[str, list[tuple[str, str]]]:
    """What there is of it, by kind: the words and the address of each link."""
    up = Path(os.path.relpath(root.resolve(), folder.resolve()))
    here = {
        "figures": [(name, f"figures/{name}.png") for name in claim.figures],
        "table": [(f"claim_{claim.name}.csv", f"tables/claim_{claim.name}.csv")],
    }
    there = {
        "code": [
            ("claim.yaml", f"analyses/{claim.name}/claim.yaml"),
            ("analysis.py", f"analyses/{claim.name}/analysis.py"),
            (f"{claim.experiment}.py", f"src/vitexplore/experiments/{claim.experiment}.py"),
        ],
        "instrument": [("instruments.md", "docs/instruments.md"), (KEPT.name, KEPT.as_posix())],
    }
    found = {kind: [link for link in links if (folder / link[1]).exists()] for kind, links in here.items()}
    if atlas:
        found["atlas"] = [("features that decide it", f"{ATLAS}#claims/{claim.name}")]
    return found | {
        kind: [(words, (up / path).as_posix()) for words, path in links if (root / path).exists()]
        for kind, links in there.items()
    }


def _items(folder: Path, claim: str) -> list[tuple[str, str]]:
    """The paper's figures and tables that are about the claim and were drawn."""
    if not (folder / ITEMS).exists():
        return []
    items = pd.read_csv(folder / ITEMS, keep_default_na=False)
    drawn = items[items["file"] != ""].itertuples()
    return [(row.item, row.file) for row in drawn if claim in row.claim.split()]


def environment() -> Environment:
    """The pages' templates, with the filters ``kind``, of a word, and ``code``, of a text with backticks."""
    found = Environment(
        loader=PackageLoader("vitexplore.claims", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    found.filters["kind"] = lambda word: KINDS.get(word, OPEN)
    found.filters["code"] = _code
    return found


def _code(text: str) -> Markup:
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", str(escape(text))))


def _sentences(text: str) -> Markup:
    return Markup(re.sub(r"\*(.+?)\*", r"<em>\1</em>", str(escape(text))))
