"""Statistics that choose on some units and score on others have intervals that cover the choice."""

import numpy as np
import pytest

from vitexplore.statistics.intervals import resampled_mean, times_drawn, unseen
from vitexplore.statistics.selection import beside_selection, over_strata, select_then_score

RNG = np.random.default_rng


def test_a_choice_that_no_resample_changes_adds_nothing():
    rng = RNG(0)
    scores = rng.normal(size=(40, 3))
    found = select_then_score(rng.normal([0.0, 9.0, 0.0], 0.1, size=(30, 3)), scores)
    plain = beside_selection(scores[:, 1], 30)
    assert found.value == pytest.approx(scores[:, 1].mean()) == plain.value
    assert np.array_equal(found.draws, plain.draws) and found.sizes == {"images": 70}
    assert plain.estimate().low == pytest.approx(resampled_mean(scores[:, 1]).estimate().low, abs=0.02)


def test_the_spread_is_that_of_new_choices_on_new_units():
    """Four options whose choice is uncertain and matters; 600 new draws of both halves."""
    true, rng = np.array([0.0, 0.1, 0.2, 0.3]), RNG(1)

    def both() -> tuple[np.ndarray, np.ndarray]:
        return true + rng.normal(size=(60, 4)), true + 0.5 * rng.normal(size=(100, 4))

    found = [select_then_score(*both()) for _ in range(600)]
    spread = np.std([one.value for one in found])
    assert np.mean([one.draws.std() for one in found]) == pytest.approx(spread, rel=0.1)
    truth = np.mean([one.value for one in found])
    ends = [one.estimate() for one in found]
    assert np.mean([end.low <= truth <= end.high for end in ends]) > 0.93


def test_options_that_are_equal_but_for_noise_add_nothing():
    rng, added = RNG(2), []
    for _ in range(100):
        scores = rng.normal(size=(50, 8))
        chosen_on = rng.normal(size=(50, 8))
        plain = beside_selection(scores[:, chosen_on.mean(0).argmax()], 50)
        added.append(select_then_score(chosen_on, scores).draws.var() / plain.draws.var() - 1)
    assert np.median(added) == 0 and np.mean(added) < 0.3


def test_resamples_choose_by_their_own_means():
    rng = RNG(3)
    chosen_on, scores = rng.normal(size=(12, 5)), np.arange(5.0) + np.zeros((9, 1))
    found, times = select_then_score(chosen_on, scores, stream=2), times_drawn(12, 5)
    slow = np.array([max(range(5), key=lambda option: (row * chosen_on[:, option]).sum()) for row in times.astype(int)])
    own = scores[0, chosen_on.mean(0).argmax()]
    assert found.draws == pytest.approx(own + slow - slow.mean())  # scores without noise: nothing is made smaller


def test_what_no_scored_unit_shows_is_left_open():
    """All 50 scored images are right: as wide as the mean over 50 images, whatever the choice was made on."""
    found = select_then_score(np.ones((50, 3)), np.ones((50, 3))).estimate()
    assert (found.low, found.high) == pytest.approx((1 - unseen(50), 1 + unseen(50)))


def test_strata_rest_on_units_of_their_own():
    rng = RNG(4)
    parts = [beside_selection(rng.normal(size=20), 15, stream) for stream in range(3)]
    found = over_strata(parts)
    assert found.value == pytest.approx(np.mean([part.value for part in parts]))
    assert found.draws.std() == pytest.approx(np.sqrt(sum(part.draws.var() for part in parts)) / 3, rel=0.1)
    assert found.sizes == {"images": 105} and len(found.without) == 105


def test_nothing_to_choose_on_is_an_error():
    with pytest.raises(ValueError, match="0 units"):
        select_then_score(np.zeros((0, 3)), np.zeros((4, 3)))
