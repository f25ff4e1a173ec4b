"""Intervals have the width and the coverage that they promise, and differences are paired where they can be."""

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_ind, ttest_rel
from scipy.stats import bootstrap as scipy_bootstrap

from vitexplore.statistics import intervals
from vitexplore.statistics.intervals import (
    RESAMPLES,
    Estimate,
    Jackknifed,
    Means,
    Resampled,
    combined,
    mean_of,
    over_models,
    ratio,
    resampled_grid,
    resampled_mean,
    resampled_means,
    unseen,
)
from vitexplore.statistics.splits import GROUPS, groups


def test_interval_of_a_mean_is_as_wide_as_the_normal_formula_says():
    values = np.random.default_rng(0).normal(3, 2, 500)
    estimate = resampled_mean(values).estimate()
    half = 1.96 * values.std(ddof=1) / np.sqrt(500)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.15 * half)
    assert estimate.n == "500 images"


def test_draws_are_those_of_an_obvious_bootstrap():
    values = np.random.default_rng(0).normal(size=(2, 30))
    one, other = resampled_means(values)
    rng = np.random.default_rng([0, 30])
    drawn = [rng.integers(30, size=30) for _ in range(RESAMPLES)]
    np.testing.assert_allclose(one.draws, [values[0, i].mean() for i in drawn])
    ratio = combined(np.divide, one, other)
    np.testing.assert_allclose(ratio.draws, [values[0, i].mean() / values[1, i].mean() for i in drawn])
    assert ratio.value == pytest.approx(values[0].mean() / values[1].mean())


def test_images_and_features_are_both_resampled():
    """Of a sum of two effects the interval holds both; leaving one out would give 1/sqrt(2) of the width."""
    rng = np.random.default_rng(2)
    table = rng.normal(size=(60, 1)) + rng.normal(size=(1, 60))
    both = resampled_grid(table).estimate()
    expected = 2 * 1.96 * np.sqrt((table.mean(1).var(ddof=1) + table.mean(0).var(ddof=1)) / 60)
    assert both.high - both.low == pytest.approx(expected, rel=0.15)
    assert both.n == "60 images, 60 features"


def test_what_moves_both_sides_alike_drops_out_of_a_difference():
    hard = np.random.default_rng(0).normal(size=200)
    one, other = resampled_means([hard + 0.1, hard])
    lead = (one - other).estimate()
    assert lead.value == pytest.approx(0.1)
    assert lead.high - lead.low < 1e-9 + 4 * unseen(200)  # of two means
    assert one.estimate().high - one.estimate().low > 0.2


def test_a_zero_count_gets_its_exact_upper_bound():
    exact = binomtest(0, 40).proportion_ci(method="exact")
    assert resampled_mean(np.zeros(40)).estimate().high == pytest.approx(exact.high)
    assert Means({"": np.zeros(40)}).estimate().high == pytest.approx(exact.high)


def test_nothing_to_resample_is_an_error():
    with pytest.raises(ValueError, match="nothing to resample: 0 images"):
        resampled_mean(np.zeros(0))


def test_one_mean_less_another_is_welchs_interval():
    rng = np.random.default_rng(1)
    one, other = rng.normal(1, 1, 8), rng.normal(0, 3, 12)
    found = (Means({"one": one}) - Means({"other": other})).estimate()
    expected = ttest_ind(one, other, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_samples_of_one_name_are_paired():
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 5, 10)
    one, other = hard + rng.normal(1, 1, 10), hard
    found = (Means({"same": one}) - Means({"same": other})).estimate()
    expected = ttest_rel(one, other).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_a_mean_over_families_has_the_interval_of_their_sum():
    rng = np.random.default_rng(3)
    families = {name: rng.normal(size=8) for name in "abc"}
    found = mean_of([Means({name: sample}) for name, sample in families.items()]).estimate()
    assert found.value == pytest.approx(np.mean([sample.mean() for sample in families.values()]))
    half = 2.08 * np.sqrt(sum(sample.var(ddof=1) / 8 for sample in families.values())) / 3  # t with 21 degrees
    assert found.high - found.value == pytest.approx(half, rel=0.03)


def test_a_single_unit_says_nothing():
    found = Means({"a": np.array([1.0])}).estimate()
    assert (found.low, found.high) == (-np.inf, np.inf)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(5).normal(size=GROUPS * 5)
    without = np.array([np.delete(values, part).mean() for part in groups(len(values))])
    found = Jackknifed(values.mean(), {"images": without}, "100 images").estimate()
    of_groups = np.array([values[part].mean() for part in groups(len(values))])
    half = 2.093 * of_groups.std(ddof=1) / np.sqrt(GROUPS)  # t with 19 degrees
    assert found.high - found.value == pytest.approx(half, rel=1e-3)


def test_jackknifed_differences_are_paired_by_what_is_sampled():
    values = np.random.default_rng(5).normal(size=100)
    without = {"images": np.array([np.delete(values, part).mean() for part in groups(100)])}
    one = Jackknifed(values.mean(), without, "")
    assert (one - one).estimate() == Estimate(0.0, 0.0, 0.0, "", GROUPS - 1)
    features = Jackknifed(1.0, {"features": 1 + without["images"] - values.mean()}, "")
    both = (one - features).estimate()
    alone = one.estimate()
    assert both.high - both.low == pytest.approx(np.sqrt(2) * (alone.high - alone.low))


def test_an_interval_over_models_is_students():
    found = over_models([0.1, 0.2, 0.4], "models")
    assert found.value == pytest.approx(0.7 / 3)
    assert found.high - found.value == pytest.approx(4.303 * np.std([0.1, 0.2, 0.4], ddof=1) / np.sqrt(3), rel=1e-3)
    assert found.n == "3 models"


def test_statistics_are_added_and_scaled():
    one = Resampled(1.0, np.array([1.0, 3.0]), np.array([2.0, 0.0]), {"images": 2})
    found = one * 2 - one
    assert found.value == 1.0 and found.draws.tolist() == [1.0, 3.0] and found.without.tolist() == [2.0, 0.0]


def test_the_interval_is_scipys_bca(monkeypatch):
    """Of the ratio of two means of skewed values, with so many draws that theirs do not matter."""
    monkeypatch.setattr(intervals, "RESAMPLES", 20000)
    intervals.times_drawn.cache_clear()
    rng = np.random.default_rng(0)
    one, other = rng.exponential(size=(2, 40)) + 0.2

    def ratio(i):
        return one[i].mean() / other[i].mean()

    found = combined(np.divide, *resampled_means([one, other])).estimate()
    options = {"n_resamples": 20000, "vectorized": False, "method": "BCa", "rng": np.random.default_rng(1)}
    expected = scipy_bootstrap((np.arange(40),), ratio, **options).confidence_interval
    plain = scipy_bootstrap((np.arange(40),), ratio, **options | {"method": "percentile"}).confidence_interval
    intervals.times_drawn.cache_clear()
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.02 * width)
    assert found.high == pytest.approx(expected.high, abs=0.02 * width)
    assert abs(plain.high - expected.high) > 0.03 * width  # the correction is there to be seen


def test_a_share_without_spread_leaves_open_as_much_as_its_unit():
    """No hit in 40 images, of a natural accuracy of 0.25: what 40 images did not show may be 0.088 of all, and that is
    0.35 of the natural accuracy."""
    natural = resampled_mean(np.arange(40) % 4 == 0)
    found = ratio(resampled_mean(np.zeros(40)), natural).estimate()
    assert found.high == pytest.approx(unseen(40) / 0.25)
    both = (ratio(resampled_mean(np.zeros(40)), natural) - ratio(resampled_mean(np.zeros(40)), natural)).estimate()
    assert both.high >= unseen(40) / 0.25


def test_means_over_statistics_keep_their_unit():
    halves = [resampled_mean(np.zeros(40)), resampled_mean(np.ones(40))]
    assert mean_of(halves).estimate().high - 0.5 == pytest.approx(unseen(40))
