"""Intervals have the width and the coverage they promise, and the verdict rule is the one in the design."""

import numpy as np
import pytest

from vitexplore import stats
from vitexplore.stats import (
    FAILS,
    HOLDS,
    INCONCLUSIVE,
    NOT_REPRODUCED,
    NOT_TESTED,
    OPEN,
    PARTLY,
    REPRODUCED,
    Estimate,
    beyond,
    bootstrap,
    decide,
    verdict,
)


def test_interval_of_a_mean_is_as_wide_as_the_normal_formula_says():
    values = np.random.default_rng(0).normal(3, 2, 500)
    estimate = bootstrap(lambda rows: values[rows].mean(), {"images": 500})
    half = 1.96 * values.std(ddof=1) / np.sqrt(500)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.15 * half)
    assert estimate.n == "500 images"


def test_intervals_cover_the_truth_95_times_in_100(monkeypatch):
    monkeypatch.setattr(stats, "RESAMPLES", 200)
    rng = np.random.default_rng(1)
    sets = rng.exponential(1.0, (300, 100))
    estimates = [bootstrap(lambda rows, v=v: v[rows].mean(), {"images": 100}, seed) for seed, v in enumerate(sets)]
    covered = np.mean([e.low <= 1.0 <= e.high for e in estimates])
    assert 0.90 <= covered <= 0.98


def test_images_and_features_are_both_resampled():
    """Of a sum of two effects the interval holds both; leaving one out would give 1/sqrt(2) of the width."""
    rng = np.random.default_rng(2)
    table = rng.normal(size=(60, 1)) + rng.normal(size=(1, 60))
    both = bootstrap(lambda i, f: table[np.ix_(i, f)].mean(), {"images": 60, "features": 60})
    expected = 2 * 1.96 * np.sqrt((table.mean(1).var(ddof=1) + table.mean(0).var(ddof=1)) / 60)
    assert both.high - both.low == pytest.approx(expected, rel=0.15)
    assert both.n == "60 images, 60 features"


def test_the_same_seed_gives_the_same_interval_and_another_does_not():
    values = np.random.default_rng(3).normal(size=40)
    first, second, other = (bootstrap(lambda r: values[r].mean(), {"images": 40}, seed) for seed in (5, 5, 6))
    assert first == second
    assert first.low != other.low


def test_a_constant_has_an_interval_of_no_width():
    assert bootstrap(lambda rows: 0.5, {"images": 9}) == Estimate(0.5, 0.5, 0.5, "9 images")


def test_nothing_to_resample_is_an_error():
    with pytest.raises(ValueError, match="nothing to resample"):
        bootstrap(lambda a, b: 0.0, {"images": 5, "features": 0})


# the margin is 1, and the direction "above", mirrored for "below" about the margin
ABOVE, ACROSS, BELOW = Estimate(3, 2, 4, ""), Estimate(1, 0, 2, ""), Estimate(-2, -3, -1, "")
TOUCHING = Estimate(2, 1, 3, "")  # an interval that ends at the margin is not beyond it

RULE = [
    ([ABOVE], ACROSS, HOLDS),
    ([ABOVE], BELOW, HOLDS),
    ([ABOVE], TOUCHING, HOLDS),
    ([ABOVE], ABOVE, FAILS),  # the control passes as well
    ([BELOW], ACROSS, FAILS),
    ([BELOW], ABOVE, FAILS),
    ([ACROSS], ABOVE, FAILS),
    ([ACROSS], BELOW, OPEN),
    ([TOUCHING], BELOW, OPEN),
    ([ABOVE, ABOVE, ABOVE], ACROSS, HOLDS),  # training seeds
    ([ABOVE, ACROSS, ABOVE], ACROSS, OPEN),
    ([ABOVE, ABOVE, BELOW], ACROSS, FAILS),
    ([ABOVE, ABOVE, ABOVE], ABOVE, FAILS),
]


def mirrored(estimate: Estimate) -> Estimate:
    return Estimate(2 - estimate.value, 2 - estimate.high, 2 - estimate.low, estimate.n)


@pytest.mark.parametrize("measured, control, decision", RULE)
def test_the_verdict_rule(measured, control, decision):
    assert decide(measured, control, "above", 1) == decision
    assert decide([mirrored(e) for e in measured], mirrored(control), "below", 1) == decision


def test_beyond_asks_for_the_whole_interval():
    assert [beyond(e, "above", 1) for e in (ABOVE, TOUCHING, ACROSS, BELOW)] == [True, False, False, False]
    assert [beyond(e, "below", 1) for e in (ABOVE, TOUCHING, ACROSS, BELOW)] == [False, False, False, True]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["value", "low", "high"])
def test_numbers_that_are_not_finite_decide_nothing(bad, field):
    broken = Estimate(**{**ABOVE.__dict__, field: bad})
    with pytest.raises(ValueError, match="not finite"):
        decide([ABOVE, broken], BELOW, "above", 1)
    with pytest.raises(ValueError, match="not finite"):
        decide([ABOVE], broken, "above", 1)


def test_a_statement_without_a_measurement_or_a_known_direction_is_an_error():
    with pytest.raises(ValueError, match="missing"):
        decide([], BELOW, "above", 1)
    with pytest.raises(ValueError):
        decide([ABOVE], BELOW, "upwards", 1)


@pytest.mark.parametrize(
    "statements, expected",
    [
        ([], NOT_TESTED),
        ([HOLDS], REPRODUCED),
        ([HOLDS, HOLDS], REPRODUCED),
        ([HOLDS, OPEN], PARTLY),
        ([HOLDS, FAILS], PARTLY),
        ([OPEN, FAILS, HOLDS], PARTLY),
        ([FAILS], NOT_REPRODUCED),
        ([FAILS, OPEN], NOT_REPRODUCED),
        ([OPEN], INCONCLUSIVE),
        ([OPEN, OPEN], INCONCLUSIVE),
    ],
)
def test_a_claims_verdict_from_its_statements(statements, expected):
    assert verdict(statements) == expected
