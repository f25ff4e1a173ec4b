"""Intervals and verdicts: the rule by which a measured number becomes a decision."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
FALSE_DISCOVERIES = 0.05  # share of them that is allowed among many features that are tested at once
DIRECTIONS = ("above", "below")

HOLDS, FAILS, OPEN = "holds", "fails", "open"
REPRODUCED, PARTLY, NOT_REPRODUCED = "reproduced", "partly", "not reproduced"
INCONCLUSIVE, NOT_TESTED = "inconclusive", "not tested"


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95% interval; ``n`` says what was resampled, for example "2000 images"."""

    value: float
    low: float
    high: float
    n: str


def bootstrap(statistic: Callable[..., float], sizes: dict[str, int], seed: int = 0) -> Estimate:
    """Percentile bootstrap (Efron and Tibshirani 1993, chapter 13). ``sizes`` names what is resampled and how
    many there are, in the order of ``statistic``'s arguments, which are index arrays int64 [size]. Raises
    ValueError where there is nothing to resample."""
    if min(sizes.values()) < 1:
        raise ValueError(f"nothing to resample: {sizes}")
    rng = np.random.default_rng(seed)
    value = statistic(*(np.arange(size) for size in sizes.values()))
    draws = [statistic(*(rng.integers(size, size=size) for size in sizes.values())) for _ in range(RESAMPLES)]
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high), ", ".join(f"{size} {what}" for what, size in sizes.items()))


def halves(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two halves of ``count`` indices, drawn once and for all: choose on one, score on the other. Not by order,
    for images come sorted by class."""
    order = np.random.default_rng(0).permutation(count)
    return np.sort(order[: count // 2]), np.sort(order[count // 2 :])


def beyond(estimate: Estimate, direction: str, margin: float) -> bool:
    """Whether the whole interval lies beyond ``margin`` in ``direction`` (of DIRECTIONS)."""
    return estimate.low > margin if direction == "above" else estimate.high < margin


def decide(measured: Sequence[Estimate], control: Estimate, direction: str, margin: float) -> str:
    """HOLDS, FAILS or OPEN for one statement; ``measured`` has an estimate for each training seed, and all of
    them must hold. A control that passes as well makes the statement fail. Raises ValueError for numbers
    that are not finite, which can be no evidence for anything."""
    numbers = [x for e in (*measured, control) for x in (e.value, e.low, e.high)]
    if not measured or not np.isfinite(numbers).all():
        raise ValueError("a statement cannot be decided on numbers that are missing or not finite")
    other = DIRECTIONS[1 - DIRECTIONS.index(direction)]
    if beyond(control, direction, margin) or any(beyond(e, other, margin) for e in measured):
        return FAILS
    return HOLDS if all(beyond(e, direction, margin) for e in measured) else OPEN


def verdict(statements: Sequence[str]) -> str:
    """A claim's verdict from its statements' decisions."""
    if not statements:
        return NOT_TESTED
    if all(s == HOLDS for s in statements):
        return REPRODUCED
    if HOLDS in statements:
        return PARTLY
    return NOT_REPRODUCED if FAILS in statements else INCONCLUSIVE
