"""Claims' rows as text: the claims table for people, and each claim's caption in the report."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vitexplore.claims.decide import COLUMNS
from vitexplore.claims.text import Claim


def claims_table(files: Sequence[Path], untested: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """All claims' rows under each other, COLUMNS, in the order of ``files``, then ``untested``."""
    rows = [row for path in files for row in json.loads(path.read_text())]
    return pd.DataFrame([*rows, *untested], columns=COLUMNS)


def to_markdown(table: pd.DataFrame) -> str:
    """The claims table for people; its footnote counts what chance alone would pass."""
    head = ["claim", "statement", "paper", "measured", "95% interval", "n", "control", "holds", "verdict"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in table.to_dict("records"):
        interval = "" if pd.isna(row["low"]) else f"{row['low']:.3f} to {row['high']:.3f}"
        cells = [
            row["claim"],
            row["statement"],
            _number(row["paper"]),
            _number(row["measured"]),
            interval,
            _text(row["n"]),
            _number(row["control"]),
            _text(row["holds"]),
            _text(row["verdict"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    made = int(table["measured"].notna().sum())
    lines += ["", f"{made} statements; about {0.025 * made:.1f} of them would hold by chance if none were true."]
    return "\n".join(lines) + "\n"


def to_caption(claim: Claim, rows: Sequence[dict[str, Any]]) -> str:
    """The claim's caption in the report: what the paper says, what was measured, the verdict."""
    lines = [
        f"**{claim.text['title']}**",
        "",
        f"The paper ({claim.text['paper']['where']}): {claim.text['paper']['says']}",
    ]
    lines += ["", f"Verdict: **{rows[0]['verdict']}**.", ""]
    for row in rows:
        if row["measured"] is None:
            lines += [f"- {row['statement']}"]
            continue
        statement = claim.statements[row["statement"]]
        lines += [
            f"- {statement['says']}: {row['measured']:.3f} ({row['low']:.3f} to {row['high']:.3f}; {row['n']}), wanted"
            f" {statement['direction']} {statement['margin']:g}; control {row['control']:.3f}"
            f" ({row['control_low']:.3f} to {row['control_high']:.3f}): {row['holds']}"
        ]
        if len(row["each"].split(", ")) > 1:
            lines += [f"  (the least favourable of {row['each']})"]
    if rows[0]["values"]:
        lines += ["", f"{rows[0]['values']} values agree with the paper's (tables/claim_{claim.name}.csv)."]
    lines += ["", "Different from the paper: " + "; ".join(claim.text["deviations"]) + "."]
    return "\n".join(lines) + "\n"


def _number(value: Any) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.3f}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
