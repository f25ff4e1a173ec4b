"""Claims' rows as text: the claims table for people, and each claim's caption in the report."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vitexplore.claims.decide import COLUMNS, PAPER, PAPER_WEIGHTS
from vitexplore.claims.text import Claim
from vitexplore.statistics.intervals import Estimate
from vitexplore.statistics.verdict import UNDECIDED, beyond

HOW_TO_READ = (
    "Each claim of the paper was tried on the models of this scale: *seen here* says what these models show, and of the"
    " paper's own models it says nothing unless their weights were measured. A claim rests on an instrument, which is"
    " worth its word only once it was tried on networks that are built to have the property."
)
SHOWN = 100  # times as many images or features as there are: more are not worth saying
STATEMENTS = ["claim", "statement", "measured (95% interval)", "wanted", "control", "n", "instrument", "word"]


def claims_table(files: Sequence[Path], others: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """All claims' rows under each other, COLUMNS, in the order of ``files``, then ``others``, which were not run."""
    rows = [row for path in files for row in json.loads(path.read_text())]
    return pd.DataFrame([*rows, *others], columns=COLUMNS)


def decisive(table: pd.DataFrame) -> pd.DataFrame:
    """Of the claims table the rows that decide a statement."""
    return table[table["statement"].fillna("").ne("") & table["word"].notna()]


def to_markdown(table: pd.DataFrame, claims: Mapping[str, Claim | None]) -> str:
    """The claims table for people: first what the paper says and what was seen, then the numbers of each statement."""
    heads = table[table["statement"].fillna("").eq("")]
    lines = [HOW_TO_READ, "", *_header(["claim", "the paper says", "instrument", "seen here", "the paper's models"])]
    for row in heads.to_dict("records"):
        claim = claims[row["claim"]]
        why = f" ({row['scope']})" if pd.isna(row["instrument"]) else ""
        cells = [row["claim"], claim.text["title"] if claim else "", _text(row["instrument"])]
        lines.append(_line([*cells, f"**{row['word']}**{why}", row["on_paper_models"]]))
    found = decisive(table)
    lines += ["", *_header(STATEMENTS), *(_line(statement_cells(row)) for row in found.to_dict("records"))]
    paper = int((found["role"] == PAPER).sum())
    lines += [
        "",
        f"{paper} statements are the paper's and decide; {len(found) - paper} are extensions. Of those that are not"
        " true, at most one in forty would hold by chance.",
    ]
    if found["paper"].notna().any() and (found["scope"] != PAPER_WEIGHTS).any():
        lines += ["", "The paper's numbers are of other models: see `tables/claim_*.csv` for both."]
    return "\n".join(lines) + "\n"


def to_caption(claim: Claim, rows: Sequence[dict[str, Any]]) -> str:
    """The claim's caption in the report: what the paper says, what was measured, the word."""
    first, *rest = rows
    lines = [
        f"**{claim.text['title']}**",
        "",
        f"The paper ({claim.text['paper']['where']}): {claim.text['paper']['says']}",
        "",
        f"Here: **{first['word']}** ({first['scope']}). Instrument: {first['instrument']}. The paper's models:"
        f" {first['on_paper_models']}.",
        "",
    ]
    for row in rest:
        if row["word"] is None:
            lines += [f"  ({row['model']}: {interval(row)})"]
            continue
        statement = claim.statements[row["statement"]]
        lines += [
            f"- {statement['says']} ({row['role']}): {interval(row)}, wanted {row['direction']} {row['margin']:g};"
            f" control {of_control(row)}; {row['n']}; instrument {row['instrument']}: **{row['word']}**"
        ]
    if first["values"]:
        lines += ["", f"{first['values']} values agree with the paper's (tables/claim_{claim.name}.csv)."]
    lines += ["", "Different from the paper: " + "; ".join(claim.text["deviations"]) + "."]
    return "\n".join(lines) + "\n"


def statement_cells(row: Mapping[str, Any]) -> list[str]:
    """A statement's row of the claims table as text, one for each of STATEMENTS."""
    role = "" if row["role"] == PAPER else " (extension)"
    times = row["times_n_to_decide"]
    needed = f" ({times:.0f} times as many would decide)" if pd.notna(times) and times <= SHOWN else ""
    measured = Estimate(row["measured"], row["low"], row["high"], row["n"])
    if row["word"] == UNDECIDED and beyond(measured, row["direction"], row["margin"]):
        needed = " (beyond the margin, but not surely ahead of the control)"
    wanted = f"{row['direction']} {row['margin']:g}"
    return [
        row["claim"],
        row["statement"] + role,
        interval(row),
        wanted,
        of_control(row),
        row["n"],
        row["instrument"],
        f"{row['word']}{needed}",
    ]


def interval(row: Mapping[str, Any]) -> str:
    """What was measured, with its interval."""
    return _with_interval(row["measured"], row["low"], row["high"])


def of_control(row: Mapping[str, Any]) -> str:
    """The control's number, with its interval."""
    return _with_interval(row["control"], row["control_low"], row["control_high"])


def _with_interval(value: float, low: float, high: float) -> str:
    return "not measured" if pd.isna(value) else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _header(cells: Sequence[str]) -> list[str]:
    return [_line(cells), "|" + " --- |" * len(cells)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
