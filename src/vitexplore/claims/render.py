"""Claims' rows as text: the claims table for people, and each claim's caption in the report."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vitexplore.claims.decide import COLUMNS, PAPER
from vitexplore.claims.paper import OWN
from vitexplore.claims.text import Claim
from vitexplore.statistics.verdict import ON_PAPER_MODELS, in_order

HOW_TO_READ = (
    "Each statement says what these models show. *seen*: surely beyond the margin. *weaker*: surely there, and surely"
    " short of the margin. *opposite*: surely the other way round. *not seen*: surely short of the margin, and neither;"
    " how little could have been told stands beside it. *differs*: some models are surely on one side of the margin,"
    " some on the other. *undecided*: more images or features would tell. Of the paper's own models a word says nothing"
    " unless these were measured; then *reproduced* and *not found* stand for *seen* and *not seen*. A word is worth as"
    " much as the instrument, which is tried on networks that are built to have the property, or to lack it."
)
STATEMENTS = [
    "claim",
    "statement",
    "measured (95% interval)",
    "wanted",
    "control",
    "least effect",
    "n",
    "instrument",
    "word",
]


def claims_table(files: Sequence[Path], others: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """All claims' rows under each other, COLUMNS, in the order of ``files``, then ``others``, which were not run."""
    rows = [row for path in files for row in json.loads(path.read_text())]
    return pd.DataFrame([*rows, *others], columns=COLUMNS)


def decisive(table: pd.DataFrame) -> pd.DataFrame:
    """Of the claims table the rows that decide a statement: not those of single models."""
    return table[table["statement"].fillna("").ne("") & table["scope"].notna()]


def deciding_words(table: pd.DataFrame) -> list[str]:
    """Of the claims table the words of the statements that the paper makes."""
    found = decisive(table)
    return list(found.loc[found["role"] == PAPER, "word"])


def counted_words(words: Sequence[str]) -> str:
    """How many have which word, such as ``8 seen, 3 weaker``, in the order of the rule."""
    every = sorted(set(words), key=lambda word: (in_order(word), word in ON_PAPER_MODELS.values()))
    return ", ".join(f"{words.count(word)} {word}" for word in every)


def to_markdown(table: pd.DataFrame, claims: Mapping[str, Claim | None]) -> str:
    """The claims table for people: first what the paper says and what was seen, then the numbers of each statement."""
    heads = table[table["statement"].fillna("").eq("")]
    lines = [HOW_TO_READ, "", *_header(["claim", "the paper says", "instrument", "here", "the paper's models"])]
    for row in heads.to_dict("records"):
        claim = claims[row["claim"]]
        why = f" ({row['why']})" if pd.isna(row["instrument"]) else ""
        cells = [row["claim"], claim.text["title"] if claim else "", _text(row["instrument"])]
        lines.append(_line([*cells, f"**{row['word']}**{why}", row["on_paper_models"]]))
    found = decisive(table)
    lines += ["", *_header(STATEMENTS)]
    for at, row in zip(found.index, found.to_dict("records"), strict=True):
        lines.append(_line(statement_cells(row, tally(table, at))))
    paper = int((found["role"] == PAPER).sum())
    lines += [
        "",
        f"{paper} statements are the paper's and decide; {len(found) - paper} are extensions. Of those that are not"
        " true, at most one in forty would be called seen by chance. Least effect: what a run with so wide an interval"
        " tells from nothing nine times in ten.",
    ]
    if found["paper"].notna().any() and (found["scope"] != OWN).any():
        lines += ["", "The paper's numbers are of other models: see `tables/claim_*.csv` for both."]
    return "\n".join(lines) + "\n"


def tally(table: pd.DataFrame, at: int) -> str:
    """How many of the models (pairs, classes or concepts) of the statement in row ``at`` of the claims table have which
    word; empty where it has but one."""
    words = []
    for row in table.loc[at + 1 :].to_dict("records"):
        if row["statement"] != table.loc[at, "statement"] or pd.notna(row["scope"]):
            break
        words.append(row["word"])
    return counted_words([word for word in words if isinstance(word, str)])


def to_caption(claim: Claim, rows: Sequence[dict[str, Any]]) -> str:
    """The claim's caption in the report: what the paper says, what was measured, the word."""
    first, *rest = rows
    whose = first["scope"] or first["why"]
    lines = [
        f"**{claim.text['title']}**",
        "",
        f"The paper ({claim.text['paper']['where']}): {claim.text['paper']['says']}",
        "",
        f"Here: **{first['word']}** ({whose}). Instrument: {first['instrument']}. The paper's models:"
        f" {first['on_paper_models']}.",
        "",
    ]
    for row in rest:
        if row["scope"] is None:
            word = f", {row['word']}" if row["word"] else ""
            lines += [f"  ({row['model']}: {interval(row)}{word})"]
            continue
        statement, why = claim.statements[row["statement"]], f" ({row['why']})" if row["why"] else ""
        lines += [
            f"- {statement['says']} ({row['role']}): {interval(row)}, wanted {row['direction']} {row['margin']:g};"
            f" control {of_control(row)}; {row['n']}; instrument {row['instrument']}: **{row['word']}**{why}"
        ]
    if first["values"]:
        lines += ["", f"{first['values']} values agree with the paper's (tables/claim_{claim.name}.csv)."]
    lines += ["", "Different from the paper: " + "; ".join(claim.text["deviations"]) + "."]
    return "\n".join(lines) + "\n"


def statement_cells(row: Mapping[str, Any], each: str = "") -> list[str]:
    """A statement's row of the claims table as text, one for each of STATEMENTS. ``each``: see ``tally``."""
    role = "" if row["role"] == PAPER else " (extension)"
    more = [text for text in (_text(row["why"]), f"each: {each}" if each else "") if text]
    least = "" if pd.isna(row["least_effect"]) else f"{row['least_effect']:.3g}"
    against = f", {row['comparison']}" if _text(row["comparison"]) else ""
    return [
        row["claim"],
        row["statement"] + role,
        interval(row) + against,
        f"{row['direction']} {row['margin']:g}",
        of_control(row),
        least,
        _text(row["n"]),
        row["instrument"],
        row["word"] + (f" ({'; '.join(more)})" if more else ""),
    ]


def interval(row: Mapping[str, Any]) -> str:
    """What was measured, with its interval."""
    return _with_interval(row["measured"], row["low"], row["high"]) or "not measured"


def of_control(row: Mapping[str, Any]) -> str:
    """The control's number, with its interval; empty where there is none."""
    return _with_interval(row["control"], row["control_low"], row["control_high"])


def _with_interval(value: float, low: float, high: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _header(cells: Sequence[str]) -> list[str]:
    return [_line(cells), "|" + " --- |" * len(cells)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
