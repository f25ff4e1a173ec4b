"""What was measured about a claim (analysis.py), and what follows for its statements (claim.yaml).

A claim is a folder ``analyses/<claim>/``. Its ``analysis.py`` has ``analyse(table) -> Analysis``: from the
table of one experiment, all models under each other, to an estimate and a control for each statement of
``claim.yaml``, a figure and a table for people. All that an analysis needs of claims is here.
"""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.paper import agreement
from vitexplore.claims.text import Claim
from vitexplore.errors import InputError
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


def pooled(table: pd.DataFrame, summary: pd.DataFrame | None = None) -> pd.DataFrame:
    """``summary`` of ``table`` (the table itself if left out) with training seeds under one name, for figures: models
    that differ in ``training_seed`` and have the same ``architecture`` and ``random_weights`` are named like the first
    of them. Of two such models with the same seed, the second keeps its name."""
    names: dict[str, str] = {}
    alike: dict[tuple[str, bool], dict[int, str]] = {}
    for row in table.drop_duplicates("model").itertuples():
        seeds = alike.setdefault((row.architecture, row.random_weights), {})
        names[row.model] = row.model if row.training_seed in seeds else next(iter(seeds.values()), row.model)
        seeds.setdefault(row.training_seed, row.model)
    summary = table if summary is None else summary
    return summary.assign(model=summary["model"].map(names))


def statement_rows(claim: Claim, analysis: Analysis, scale: str) -> list[dict[str, Any]]:
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
