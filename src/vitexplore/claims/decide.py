"""What was measured about a claim (analysis.py), and what follows for its statements (claim.yaml).

A claim is a folder ``analyses/<claim>/``. Its ``analysis.py`` has ``analyse(table) -> Analysis``: from the
table of an experiment (or several tables), all models under each other, to what each statement of ``claim.yaml``
compares with its margin, a figure and a table for people. All that an analysis needs of claims is here.
"""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Any

import pandas as pd

from vitexplore.claims.paper import agreement, own_weights
from vitexplore.claims.text import Claim
from vitexplore.errors import InputError
from vitexplore.statistics.intervals import Estimate, Statistic, over_models
from vitexplore.statistics.verdict import (
    ELSEWHERE,
    NOT_RUN,
    ON_PAPER_MODELS,
    UNDECIDED,
    Comparison,
    beyond,
    factor_to_decide,
    of_claim,
    of_statement,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = [
    "claim",
    "statement",
    "role",
    "scope",
    "model",
    "weights_sha256",
    "paper",
    "measured",
    "low",
    "high",
    "n",
    "times_n_to_decide",
    "direction",
    "margin",
    "control",
    "control_low",
    "control_high",
    "gate",
    "gate_value",
    "word",
    "instrument",
    "on_paper_models",
    "values",
]
PAPER, EXTENSION = "paper", "extension"  # roles: what the paper says decides a claim, what we add does not
PAPER_WEIGHTS, OTHER_WEIGHTS = "the paper's weights", "other weights"  # scopes
NOT_VALIDATED = "not validated"  # an instrument that was not tried on networks that are built to have the property
UNKNOWN = "run the scale `hub` or `paper`"  # what is known of the paper's models from a run of others
NOTHING = Estimate(nan, nan, nan, "0")  # of a statement without comparisons
SUCH = 3  # models from which on an interval for others like them is given


class NotTested(Exception):
    """Raised by an analysis when the scale has not what the claim is about; the message says what."""


@dataclass(frozen=True)
class Measured:
    """What one statement compares with its margin. ``comparisons``: by what is compared with, all must hold; none where
    nothing was visualized for want of room. ``models``: names of those measured; ``gate``: what claim.yaml says must
    lie above a margin, all of these, for there to be room; ``one_control``: see ``of_statement``."""

    comparisons: Mapping[str, Comparison]
    models: Sequence[str]
    gate: Sequence[Estimate] = ()
    one_control: bool = False

    @classmethod
    def one(
        cls,
        each: Mapping[str, Statistic],
        control: Statistic,
        models: Sequence[str] | None = None,
        gate: Sequence[Estimate] = (),
    ) -> "Measured":
        """A single comparison; ``models`` are the keys of ``each`` if left out."""
        return cls({"": Comparison(each, control)}, list(each) if models is None else models, gate)


@dataclass(frozen=True)
class Analysis:
    """What an analysis hands back. ``statements`` by id; ``figures`` by name; ``table`` for people."""

    statements: dict[str, Measured]
    table: pd.DataFrame
    figures: "dict[str, Figure]" = field(default_factory=dict)


def run_analysis(claim: Claim, *tables: pd.DataFrame) -> Analysis:
    """Run the claim's analysis.py on its ``tables``. Raises NotTested, and InputError when the analysis does not
    measure just the statements that claim.yaml makes."""
    spec = importlib.util.spec_from_file_location(f"analysis_{claim.name}", claim.folder / "analysis.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    analysis: Analysis = module.analyse(*tables)
    if set(analysis.statements) != set(claim.statements):
        raise InputError(f"{claim.folder}: analysis.py and claim.yaml do not name the same statements")
    return analysis


def deciding(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the models that decide: those that were trained and, of each family in which some have the paper's
    own weights, these alone."""
    trained = table[~table["random_weights"]]
    own = own_weights(trained["architecture"])
    has_own = own.groupby(trained["family"]).transform("any")
    return trained[own | ~has_own]


def named(table: pd.DataFrame, architecture: str) -> pd.DataFrame:
    """The rows of the model that the paper measured, where it is there; all rows where it is not."""
    own = table["architecture"].astype(str).eq(architecture)
    return table[own] if own.any() else table


def by_model(table: pd.DataFrame, family: str) -> dict[str, pd.DataFrame]:
    """The rows of each model of a family. Raises NotTested where there is none."""
    found = {str(model): mine for model, mine in table[table["family"] == family].groupby("model", sort=False)}
    if not found:
        raise NotTested(f"needs a model of the family {family}")
    return found


def vits_and_control(table: pd.DataFrame) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """The rows of the ViTs that decide and have as many blocks as the first one with random weights, by name, and of
    that one. Raises NotTested where either is missing."""
    random = table[table["random_weights"]]
    if random.empty or deciding(table).empty:
        raise NotTested("needs a ViT and the same one with random weights")
    control = next(iter(by_model(random, "vit").values()))
    alike = {
        name: mine
        for name, mine in by_model(deciding(table), "vit").items()
        if mine["block"].max() == control["block"].max()
    }
    if not alike:
        raise NotTested("needs a ViT of as many blocks as the one with random weights")
    return alike, control


def seeds_of(table: pd.DataFrame, *families: str) -> dict[str, tuple[pd.DataFrame, ...]]:
    """For each training seed that all of ``families`` have: the rows of each family's models that decide. Raises
    NotTested where there is no such seed."""
    found = {
        f"seed {seed}": tuple(mine[mine["family"] == family] for family in families)
        for seed, mine in deciding(table).groupby("training_seed")
    }
    found = {seed: frames for seed, frames in found.items() if not any(frame.empty for frame in frames)}
    if not found:
        raise NotTested(f"needs models of these families, trained alike: {', '.join(families)}")
    return found


def names(*tables: pd.DataFrame) -> list[str]:
    """The models whose rows stand in ``tables``."""
    return [str(name) for table in tables for name in table["model"].unique()]


def of_each(tables: Mapping[str, pd.DataFrame], statistic: Callable[[pd.DataFrame], Statistic]) -> dict[str, Statistic]:
    """``statistic`` of each model's rows."""
    return {name: statistic(mine) for name, mine in tables.items()}


def pooled(table: pd.DataFrame, summary: pd.DataFrame | None = None) -> pd.DataFrame:
    """``summary`` of ``table`` (the table itself if left out) with training seeds under one name, for figures: models
    that differ in ``training_seed`` and have the same ``architecture`` and ``random_weights`` are named like the first
    of them. Of two such models with the same seed, the second keeps its name."""
    found: dict[str, str] = {}
    alike: dict[tuple[str, bool], dict[int, str]] = {}
    for row in table.drop_duplicates("model").itertuples():
        seeds = alike.setdefault((row.architecture, row.random_weights), {})
        found[row.model] = row.model if row.training_seed in seeds else next(iter(seeds.values()), row.model)
        seeds.setdefault(row.training_seed, row.model)
    summary = table if summary is None else summary
    return summary.assign(model=summary["model"].map(found))


def claim_rows(
    claim: Claim, analysis: Analysis, table: pd.DataFrame, instruments: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Rows with COLUMNS: the claim's own, without a statement; then for each statement the row that decides it, with a
    word, one for each model (or training seed), and one for models like these. ``instruments``: see
    claims/instrument.py."""
    instruments = instruments or {}
    identities = table.drop_duplicates("model").set_index("model")[["architecture", "weights"]]
    statements, decisions, scopes = [], [], []
    of_paper = any(statement["role"] == PAPER for statement in claim.statements.values())  # else they all decide
    for name, statement in claim.statements.items():
        found = analysis.statements[name]
        if bool(found.gate) != ("gate" in statement):
            raise InputError(f"statement {name}: analysis.py and claim.yaml do not agree on its gate")
        decided = {
            what: one.decide(statement["direction"], statement["margin"]) for what, one in found.comparisons.items()
        }
        decision = of_statement(list(decided.values()), room(found.gate, statement), found.one_control)
        scope = scope_of(identities.loc[list(found.models), "architecture"])
        first, *others = _statement_rows(name, statement, found, decided, decision, scope, identities)
        statements += [first | {"instrument": instruments.get(name, NOT_VALIDATED)}, *others]
        if statement["role"] == PAPER or not of_paper:
            decisions.append(decision)
            scopes.append(scope)
    scope = PAPER_WEIGHTS if set(scopes) == {PAPER_WEIGHTS} else OTHER_WEIGHTS
    word = in_words(of_claim(decisions), scope)
    first = {
        "scope": scope,
        "word": word,
        "instrument": instruments.get("", NOT_VALIDATED),
        "values": agreement(analysis.table),
    }
    first["on_paper_models"] = word if scope == PAPER_WEIGHTS else UNKNOWN
    rows = [first, *statements]
    return [dict.fromkeys(COLUMNS) | {"claim": claim.name, "statement": ""} | row for row in rows]


def not_run(name: str, why: str) -> dict[str, Any]:
    """The one row of a claim that was not run."""
    row = {"claim": name, "statement": "", "scope": why, "word": NOT_RUN, "on_paper_models": UNKNOWN}
    return {**dict.fromkeys(COLUMNS), **row}


def _statement_rows(
    name: str,
    statement: Mapping[str, Any],
    found: Measured,
    decided: Mapping[str, str],
    decision: str,
    scope: str,
    identities: pd.DataFrame,
) -> list[dict[str, Any]]:
    direction, margin = statement["direction"], statement["margin"]
    # of several comparisons those that decided, and of these the least favourable one is shown
    shown = [what for what, one in decided.items() if one == decision] or list(decided)
    comparison = min(
        (found.comparisons[what] for what in shown),
        key=lambda one: one.measured.low if direction == "above" else -one.measured.high,
        default=None,
    )
    whole, control = (comparison.measured, comparison.control.estimate()) if comparison else (NOTHING, NOTHING)
    common = {"statement": name, "role": statement["role"], "direction": direction, "margin": margin}
    row = common | {
        "scope": scope,
        "model": " ".join(found.models),
        "weights_sha256": " ".join(identities.loc[list(found.models), "weights"]),
        "paper": statement.get("paper"),
        **_numbers(whole),
        "times_n_to_decide": factor_to_decide(whole, margin) if decision == UNDECIDED else None,
        "control": control.value,
        "control_low": control.low,
        "control_high": control.high,
        "gate": statement["gate"]["margin"] if "gate" in statement else None,
        "gate_value": min(gate.low for gate in found.gate) if found.gate else None,
        "word": in_words(decision, scope),
        "on_paper_models": in_words(decision, scope) if scope == PAPER_WEIGHTS else UNKNOWN,
    }
    each = {of: statistic.estimate() for of, statistic in comparison.each.items()} if comparison else {}
    rows = [row]
    if len(each) > 1:
        rows += [common | {"model": of, **_numbers(estimate)} for of, estimate in each.items()]
    if len(each) >= SUCH:
        such = over_models([estimate.value for estimate in each.values()], "models")
        rows.append(common | {"model": "models like these", **_numbers(such)})
    return rows


def _numbers(estimate: Estimate) -> dict[str, Any]:
    return {"measured": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}


def room(gates: Sequence[Estimate], statement: Mapping[str, Any]) -> bool:
    """Whether all ``gates`` lie beyond that of ``statement``, if there are any."""
    return all(beyond(one, "above", statement["gate"]["margin"]) for one in gates)


def scope_of(architectures: pd.Series) -> str:
    """Of what models of these architectures, as tables name them, speak."""
    return PAPER_WEIGHTS if own_weights(architectures).all() else OTHER_WEIGHTS


def in_words(decision: str, scope: str) -> str:
    """The word for a decision: *reproduced* is said of the paper's weights alone."""
    return (ON_PAPER_MODELS if scope == PAPER_WEIGHTS else ELSEWHERE).get(decision, decision)
