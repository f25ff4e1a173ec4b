"""The numbers that a claim's words follow from: kept beside the words, so that each word can be checked without the
models and the images."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite, nan
from typing import Any, NamedTuple

import pandas as pd

from vitexplore.claims.alone import own_terms
from vitexplore.claims.decide import Analysis, Measured, room
from vitexplore.claims.text import Claim
from vitexplore.statistics.intervals import Estimate
from vitexplore.statistics.verdict import Comparison, of_statement


def numbers(claim: Claim, analysis: Analysis | None, table: pd.DataFrame) -> dict[str, Any]:
    """For JSON. ``statements``: by id, what ``analysis`` (None where the claim was not tested) compares with the
    margin; ``own``: by model of ``table``, the claim's first, its own terms (see claims/alone.py). An estimate is its
    ``value``, ``low``, ``high`` and ``n``, where a number that is not finite is null."""
    terms = own_terms(claim, table)
    return {
        "statements": {name: _of_statement(found) for name, found in (analysis.statements if analysis else {}).items()},
        "own": {model: {name: _plain(term) for name, term in mine.items()} for model, mine in terms.items()},
    }


def _of_statement(found: Measured) -> dict[str, Any]:
    return {
        "models": list(found.models),
        "comparisons": {what: _of_comparison(one) for what, one in found.comparisons.items()},
        "gates": [_plain(gate) for gate in found.gate],
        "one_control": found.one_control,
    }


def _of_comparison(one: Comparison) -> dict[str, Any]:
    return {
        "measured": _plain(one.measured),
        "control": _plain(one.control.estimate()),
        "lead": _plain(one.lead),
        "each": {name: _plain(each.estimate()) for name, each in one.each.items()},
    }


def _plain(estimate: Estimate) -> dict[str, Any]:
    return {name: _finite(value) for name, value in asdict(estimate).items()}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def decision(kept: Mapping[str, Any], statement: Mapping[str, Any]) -> str:
    """What follows for ``statement`` (of claim.yaml) from its kept numbers, by the rule of statistics/verdict.py."""
    gates = [_estimate(gate) for gate in kept["gates"]]
    compared = [_comparison(one) for one in kept["comparisons"].values()]
    decided = [one.decide(statement["direction"], statement["margin"]) for one in compared]
    return of_statement(decided, room(gates, statement), kept["one_control"])


def _estimate(plain: Mapping[str, Any]) -> Estimate:
    return Estimate(**{name: nan if value is None else value for name, value in plain.items()})


class _Printed(NamedTuple):
    """A statistic of which the estimate alone was kept."""

    found: Estimate

    def estimate(self) -> Estimate:
        return self.found


@dataclass(frozen=True)
class _Kept(Comparison):
    """A comparison whose estimates were kept."""

    whole: Estimate
    ahead: Estimate

    @property
    def measured(self) -> Estimate:
        return self.whole

    @property
    def lead(self) -> Estimate:
        return self.ahead


def _comparison(kept: Mapping[str, Any]) -> Comparison:
    each = {name: _Printed(_estimate(one)) for name, one in kept["each"].items()}
    whole, control, ahead = (_estimate(kept[name]) for name in ("measured", "control", "lead"))
    return _Kept(each, _Printed(control), whole, ahead)
