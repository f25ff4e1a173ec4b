"""What was measured about a claim (analysis.py), and what follows for its statements (claim.yaml).

A claim is a folder ``analyses/<claim>/``. Its ``analysis.py`` has ``analyse(table) -> Analysis``: from the
table of an experiment (or several tables), all models under each other, to what each statement of ``claim.yaml``
compares with its margin, a figure and a table for people. All that an analysis needs of claims is here.
"""

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Any

import pandas as pd

from vitexplore.claims.numbers import Decision, Numbers, decide
from vitexplore.claims.paper import OTHER_MODELS, OWN, agreement, marked, scope_of
from vitexplore.claims.text import Claim
from vitexplore.errors import InputError
from vitexplore.statistics.intervals import Estimate, Statistic, over_models
from vitexplore.statistics.verdict import (
    NOT_RUN,
    NOT_TESTABLE,
    ON_PAPER_MODELS,
    Comparison,
    least_effect,
    summed_up,
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
    "comparison",
    "paper",
    "measured",
    "low",
    "high",
    "n",
    "least_effect",
    "times_n_to_decide",
    "direction",
    "margin",
    "control",
    "control_low",
    "control_high",
    "gate",
    "gate_value",
    "word",
    "why",
    "instrument",
    "on_paper_models",
    "values",
]
PAPER, EXTENSION = "paper", "extension"  # roles: what the paper says decides a claim, what we add does not
NOT_VALIDATED = "not validated"  # an instrument that was not tried on networks that are built to have the property
UNKNOWN = "run the scale `hub` or `paper`"  # what is known of the paper's models from a run of others
SUCH = 3  # models from which on an interval for others like them is given


class NotTested(Exception):
    """Raised by an analysis when the scale has not what the claim is about; the message says what."""


@dataclass(frozen=True)
class Measured:
    """What one statement compares with its margin. ``comparisons``: by what is compared with, all must hold; none where
    nothing was visualized for want of room. ``models``: names of those measured; ``gate``: what claim.yaml says must
    lie above a margin, all of these, for the statement to be testable; ``why``: why it is not, if for another reason.
    ``every``, ``counts``: see `Numbers`."""

    comparisons: Mapping[str, Comparison]
    models: Sequence[str]
    gate: Sequence[Estimate] = ()
    why: str = ""
    every: bool = False
    counts: str = ""

    @classmethod
    def one(
        cls,
        each: Mapping[str, Statistic],
        control: Statistic | Mapping[str, Statistic] | None,
        models: Sequence[str] | None = None,
        gate: Sequence[Estimate] = (),
    ) -> "Measured":
        """A single comparison; ``models`` are the keys of ``each`` if left out."""
        return cls({"": Comparison(each, control)}, list(each) if models is None else models, gate)

    @classmethod
    def not_testable(cls, why: str, models: Sequence[str] = (), gate: Sequence[Estimate] = ()) -> "Measured":
        return cls({}, models, gate, why)

    def numbers(self) -> Numbers:
        """As estimates. What is counted has no mean over its items."""
        each: dict[str, dict[str, Any]] = {}
        for what, comparison in self.comparisons.items():
            for name, compared in comparison.compared_each.items():
                each.setdefault(name, {})[what] = compared
        return Numbers(
            models=tuple(self.models),
            comparisons={} if self.counts else {what: one.compared for what, one in self.comparisons.items()},
            each=each,
            gates=tuple(self.gate),
            why=self.why,
            every=self.every,
            counts=self.counts,
        )


@dataclass(frozen=True)
class Analysis:
    """What an analysis hands back. ``statements`` by id; ``figures`` by name; ``table`` for people; ``by_image``: float
    by image, what each adds to the claim, where claim.yaml says under ``images`` what that is."""

    statements: dict[str, Measured]
    table: pd.DataFrame
    figures: "dict[str, Figure]" = field(default_factory=dict)
    by_image: pd.Series | None = None


def run_analysis(claim: Claim, *tables: pd.DataFrame) -> Analysis:
    """Run the claim's analysis.py on its ``tables``. Raises NotTested, and InputError when the analysis does not
    measure just the statements that claim.yaml makes."""
    spec = importlib.util.spec_from_file_location(f"analysis_{claim.name}", claim.folder / "analysis.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    analysis: Analysis = module.analyse(*(marked(claim, table) for table in tables))
    if set(analysis.statements) != set(claim.statements):
        raise InputError(f"{claim.folder}: analysis.py and claim.yaml do not name the same statements")
    return analysis


def deciding(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the models that decide: those that were trained and, of each family in which the paper measured
    some for this claim, these alone."""
    trained = table[~table["random_weights"]]
    own = trained["of_paper"]
    has_own = own.groupby(trained["family"]).transform("any")
    return trained[own | ~has_own]


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


def families_of(table: pd.DataFrame, *families: str) -> tuple[dict[str, pd.DataFrame], ...]:
    """For each of ``families`` the rows of its models that decide, by name. Raises NotTested where one has none."""
    table = deciding(table)
    if missing := [family for family in families if family not in set(table["family"])]:
        raise NotTested(f"needs a model of the family {missing[0]}, beside {', '.join({*families} - {missing[0]})}")
    return tuple(by_model(table, family) for family in families)


def names(*tables: pd.DataFrame) -> list[str]:
    """The models whose rows stand in ``tables``."""
    return [str(name) for table in tables for name in table["model"].unique()]


def of_each(tables: Mapping[str, pd.DataFrame], statistic: Callable[[pd.DataFrame], Statistic]) -> dict[str, Statistic]:
    """``statistic`` of each model's rows."""
    return {name: statistic(mine) for name, mine in tables.items()}


def pooled(table: pd.DataFrame, summary: pd.DataFrame | None = None) -> pd.DataFrame:
    """``summary`` of ``table`` (the table itself if left out) with training seeds under one name, for figures."""
    summary = table if summary is None else summary
    return summary.assign(model=summary["model"].map(_first_of_seeds(table)))


def rows_for_people(table: pd.DataFrame) -> Iterator[tuple[dict[str, str], list[pd.DataFrame]]]:
    """What the rows of a claim's table are about: each model of ``table``, then training seeds together, under the
    first one's name and their number. ``model``, ``architecture``, ``family`` and ``within``, in which row of seeds
    together a model stands, if in one; and the rows of ``table`` of each of the models."""
    by_name = {str(name): mine for name, mine in table.groupby("model", sort=False)}
    alike: dict[str, list[str]] = {}
    for name, first in _first_of_seeds(table).items():
        alike.setdefault(first, []).append(name)
    together = {f"{first} ({len(names)} seeds)": names for first, names in alike.items() if len(names) > 1}
    within = {name: label for label, names in together.items() for name in names}
    for label, names in {**{name: [name] for name in by_name}, **together}.items():
        first = by_name[names[0]].iloc[0]
        known = {"model": label, "architecture": first["architecture"], "family": first["family"]}
        yield known | {"within": within.get(label, "")}, [by_name[name] for name in names]


def _first_of_seeds(table: pd.DataFrame) -> dict[str, str]:
    """By model the first of those that differ from it in ``training_seed`` and have the same ``architecture`` and
    ``random_weights``. Of two such models with the same seed, the second is the first of its own."""
    found: dict[str, str] = {}
    alike: dict[tuple[str, bool], dict[int, str]] = {}
    for row in table.drop_duplicates("model").itertuples():
        seeds = alike.setdefault((row.architecture, row.random_weights), {})
        found[row.model] = row.model if row.training_seed in seeds else next(iter(seeds.values()), row.model)
        seeds.setdefault(row.training_seed, row.model)
    return found


def claim_rows(
    claim: Claim, analysis: Analysis, table: pd.DataFrame, instruments: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Rows with COLUMNS: the claim's own, without a statement; then for each statement the row that decides it, and one
    for each model (or pair of models, class or concept), with its word, and one for models like these. ``instruments``:
    see claims/instrument.py."""
    instruments = instruments or {}
    whose = marked(claim, table).drop_duplicates("model").set_index("model")
    rows, words, scopes = [], [], []
    of_paper = any(statement["role"] == PAPER for statement in claim.statements.values())  # else they all decide
    for name, statement in claim.statements.items():
        found = analysis.statements[name]
        if not found.why and bool(found.gate) != ("gate" in statement):
            raise InputError(f"statement {name}: analysis.py and claim.yaml do not agree on its gate")
        mine = whose.loc[list(found.models)]
        scope = scope_of(claim, mine)
        first, *others = _statement_rows(name, statement, found.numbers(), mine, scope)
        rows += [first | {"instrument": instruments.get(name, NOT_VALIDATED)}, *others]
        if statement["role"] == PAPER or not of_paper:
            words.append(first["word"])
            scopes.append(scope)
    scope = scopes[0] if len(set(scopes)) == 1 else OTHER_MODELS
    word = summed_up(words)
    first = {
        "scope": scope,
        "word": word,
        "instrument": instruments.get("", NOT_VALIDATED),
        "on_paper_models": word if scope == OWN else UNKNOWN,
        "values": agreement(analysis.table),
    }
    return [dict.fromkeys(COLUMNS) | {"claim": claim.name, "statement": ""} | row for row in (first, *rows)]


def not_run(name: str, why: str) -> dict[str, Any]:
    """The one row of a claim that was not run."""
    row = {"claim": name, "statement": "", "word": NOT_RUN, "why": why, "on_paper_models": UNKNOWN}
    return {**dict.fromkeys(COLUMNS), **row}


def _statement_rows(
    name: str, statement: Mapping[str, Any], numbers: Numbers, whose: pd.DataFrame, scope: str
) -> list[dict[str, Any]]:
    decision, each_margin = decide(numbers, statement), statement.get("item_margin", statement["margin"])
    common = {"statement": name, "role": statement["role"], "direction": statement["direction"]}
    control = decision.shown.control or Estimate(nan, nan, nan, "")
    word = in_words(decision.word, scope)
    first = common | {
        "scope": scope,
        "model": " ".join(numbers.models),
        "weights_sha256": " ".join(whose["weights"]),
        "comparison": decision.comparison,
        "margin": decision.margin,
        "paper": statement.get("paper"),
        **_numbers(decision.shown.measured),
        "least_effect": _least_effect(numbers, decision),
        "times_n_to_decide": decision.times,
        "control": control.value,
        "control_low": control.low,
        "control_high": control.high,
        "gate": statement["gate"]["margin"] if numbers.gates else None,
        "gate_value": min(gate.low for gate in numbers.gates) if numbers.gates else None,
        "word": word,
        "why": decision.why,
        "on_paper_models": word if scope == OWN else UNKNOWN,
    }
    return [first, *(common | {"margin": each_margin} | row for row in _rows_of_each(numbers, decision, scope))]


def _least_effect(numbers: Numbers, decision: Decision) -> float | None:
    """None where nothing was measured, and of a count, which is not told from nothing by its interval's width."""
    return None if decision.word == NOT_TESTABLE or numbers.counts else least_effect(decision.shown.measured)


def _rows_of_each(numbers: Numbers, decision: Decision, scope: str) -> list[dict[str, Any]]:
    """A row for each model, with the least favourable of its comparisons."""
    if len(decision.each) < 2:
        return []
    rows = [
        {"model": name, **_numbers(shown.measured), "word": in_words(word, scope)}
        for name, (word, shown) in decision.each.items()
    ]
    if len(rows) >= SUCH and not (numbers.counts or numbers.every):
        values = [shown.measured.value for _, shown in decision.each.values()]
        rows.append({"model": "models like these", **_numbers(over_models(values, "models"))})
    return rows


def _numbers(estimate: Estimate) -> dict[str, Any]:
    return {"measured": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}


def in_words(word: str, scope: str) -> str:
    """*reproduced* and *not found* are said of what the paper measured alone."""
    return ON_PAPER_MODELS.get(word, word) if scope == OWN else word
