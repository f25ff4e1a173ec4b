"""Claims: what the paper says (claim.yaml), what was measured (analysis.py), and what follows.

A claim is a folder ``analyses/<claim>/``. Its ``analysis.py`` has ``analyse(table) -> Analysis``: from the
table of one experiment, all models under each other, to an estimate and a control for each statement of
``claim.yaml``, a figure and a table for people.
"""

import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.config import claim_text
from vitexplore.errors import InputError
from vitexplore.paper import agreement
from vitexplore.stats import NOT_TESTED, OPEN, Estimate, decide, verdict

COLUMNS = [
    "claim",
    "statement",
    "paper",
    "measured",
    "each",
    "low",
    "high",
    "difference",
    "tolerance",
    "compared",
    "n",
    "control",
    "control_low",
    "control_high",
    "holds",
    "verdict",
    "values",
    "deviations",
]


class NotTested(Exception):
    """Raised by an analysis when the scale has not what the claim is about; the message says what."""


@dataclass(frozen=True)
class Measured:
    """One statement's estimates, by the model or training seed that they are of, and its control's. All must hold."""

    estimates: dict[str, Estimate]
    control: Estimate


@dataclass(frozen=True)
class Analysis:
    """What an analysis hands back. ``statements`` by id; ``figures`` by name; ``table`` for people."""

    statements: dict[str, Measured]
    table: pd.DataFrame
    figures: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A parsed claim.yaml and the folder it came from."""

    folder: Path
    text: dict[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def statements(self) -> dict[str, dict[str, Any]]:
        """By id, the main one first."""
        return {s["id"]: s for s in self.text["statements"]}


def read_claim(folder: Path, schema: Path) -> Claim:
    """Raises InputError when claim.yaml is not as workflow/schemas/claim.schema.yaml wants it."""
    return Claim(folder, claim_text(folder / "claim.yaml", schema))


def run_analysis(claim: Claim, table: pd.DataFrame) -> Analysis:
    """Run the claim's analysis.py on ``table``. Raises NotTested, and InputError when the analysis does not
    measure just the statements that claim.yaml makes."""
    spec = importlib.util.spec_from_file_location(f"analysis_{claim.name}", claim.folder / "analysis.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    analysis: Analysis = module.analyse(table)
    if set(analysis.statements) != set(claim.statements):
        raise InputError(f"{claim.folder}: analysis.py and claim.yaml do not name the same statements")
    return analysis


def vits_and_control(table: pd.DataFrame) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """The rows of each trained ViT classifier, and of each with random weights. Raises NotTested where either is
    missing."""
    vits = table[table["family"] == "vit"]
    trained = [mine for _, mine in vits[~vits["random_weights"]].groupby("model")]
    random = [mine for _, mine in vits[vits["random_weights"]].groupby("model")]
    if not trained or not random:
        raise NotTested("needs a ViT classifier and the same one with random weights")
    return trained, random


def seeds_of(table: pd.DataFrame, *families: str) -> dict[str, tuple[pd.DataFrame, ...]]:
    """For each training seed that all of ``families`` have: the rows of each family's trained models. Raises NotTested
    where there is no such seed."""
    trained = table[~table["random_weights"]]
    found = {
        f"seed {seed}": tuple(mine[mine["family"] == family] for family in families)
        for seed, mine in trained.groupby("training_seed")
    }
    found = {seed: frames for seed, frames in found.items() if not any(frame.empty for frame in frames)}
    if not found:
        raise NotTested(f"needs models of these families, trained alike: {', '.join(families)}")
    return found


def of_each(tables: Sequence[pd.DataFrame], statistic: Callable[[pd.DataFrame], Estimate]) -> dict[str, Estimate]:
    """``statistic`` of each model's rows, by the model's name."""
    return {str(mine["model"].iloc[0]): statistic(mine) for mine in tables}


def pooled(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with training seeds under one name, for figures: ``vit_s1`` and ``vit_s2`` are ``vit`` too."""
    return table.assign(model=table["model"].str.replace(r"_s\d+$", "", regex=True))


def judge(claim: Claim, analysis: Analysis, scale: str) -> list[dict[str, Any]]:
    """One row a statement, the main one first, with COLUMNS."""
    decisions = {name: _decide(analysis.statements[name], statement) for name, statement in claim.statements.items()}
    overall = verdict(list(decisions.values()))
    rows = []
    for name, statement in claim.statements.items():
        found = analysis.statements[name]
        paper = statement.get("paper")
        by_value = scale == "paper" and statement.get("paper_model") in found.estimates
        worst = _least_favourable(list(found.estimates.values()), statement["direction"])
        compared = found.estimates[statement["paper_model"]] if by_value else worst
        rows.append(
            {
                "claim": claim.name,
                "statement": name,
                "paper": paper,
                "measured": worst.value,
                "each": ", ".join(f"{of} {estimate.value:.3f}" for of, estimate in found.estimates.items()),
                "low": worst.low,
                "high": worst.high,
                "difference": None if paper is None else compared.value - paper,
                "tolerance": statement["tolerance"] if by_value else None,
                "compared": "value" if by_value else "direction",
                "n": worst.n,
                "control": found.control.value,
                "control_low": found.control.low,
                "control_high": found.control.high,
                "holds": decisions[name],
                "verdict": overall if not rows else "",
                "values": agreement(analysis.table) if not rows else "",
                "deviations": "; ".join(claim.text["deviations"]) if not rows else "",
            }
        )
    return rows


def not_tested(name: str, why: str) -> dict[str, Any]:
    """The one row of a claim that was not run."""
    return {**dict.fromkeys(COLUMNS), "claim": name, "statement": why, "verdict": NOT_TESTED}


def _decide(found: Measured, statement: dict[str, Any]) -> str:
    """Numbers that are not finite decide nothing; they stay in the table, where ``check`` finds them."""
    try:
        return decide(list(found.estimates.values()), found.control, statement["direction"], statement["margin"])
    except ValueError:
        return OPEN


def _least_favourable(estimates: Sequence[Estimate], direction: str) -> Estimate:
    return min(estimates, key=lambda e: e.low if direction == "above" else -e.high)


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
