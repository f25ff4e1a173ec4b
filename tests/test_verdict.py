"""The verdict rule is the one in the design."""

import numpy as np
import pytest

from vitexplore.statistics.intervals import Estimate, Means, Resampled
from vitexplore.statistics.verdict import (
    FAILS,
    HOLDS,
    MIXED,
    NO_LEAD,
    NO_ROOM,
    NOT_SPECIFIC,
    PARTLY,
    UNDECIDED,
    Comparison,
    beyond,
    factor_to_decide,
    of_claim,
    of_statement,
)


def draws(low: float, high: float, seed: int = 0) -> Resampled:
    """A statistic whose interval goes from ``low`` to ``high``; of one seed, paired."""
    spread = np.random.default_rng(seed).permutation(np.linspace(-1 / 0.95, 1 / 0.95, 2001))
    middle, half = (low + high) / 2, (high - low) / 2
    return Resampled(middle, middle + half * spread, np.zeros(100), {"images": 100})


# the margin is 1, and the direction "above", mirrored for "below" about the margin
ABOVE, ACROSS, BELOW = (2, 4), (0, 2), (-3, -1)
TOUCHING = (1, 3)  # an interval that ends at the margin is not beyond it

RULE = [
    ([ABOVE], ACROSS, HOLDS),
    ([ABOVE], BELOW, HOLDS),
    ([ABOVE], ABOVE, NOT_SPECIFIC),
    ([BELOW], ACROSS, FAILS),
    ([BELOW], ABOVE, FAILS),
    ([ACROSS], ABOVE, UNDECIDED),
    ([ACROSS], BELOW, UNDECIDED),
    ([ABOVE, ABOVE, ABOVE], ACROSS, HOLDS),  # training seeds
    ([ABOVE, ACROSS, ABOVE], BELOW, HOLDS),  # their mean decides
    ([ABOVE, ABOVE, BELOW], BELOW, MIXED),
    ([ACROSS, BELOW, BELOW], BELOW, FAILS),
    ([ABOVE, ABOVE, ABOVE], ABOVE, NOT_SPECIFIC),
]


def comparison(each, control, seeds=(0, 0)) -> Comparison:
    return Comparison({str(i): draws(*one, seeds[0]) for i, one in enumerate(each)}, draws(*control, seeds[1]))


def mirrored(interval):
    return 2 - interval[1], 2 - interval[0]


@pytest.mark.parametrize(("each", "control", "decision"), RULE)
def test_the_rule_for_a_comparison(each, control, decision):
    assert comparison(each, control).decide("above", 1) == decision
    turned = comparison([mirrored(one) for one in each], mirrored(control))
    assert turned.decide("below", 1) == decision


def test_an_interval_that_ends_at_the_margin_decides_nothing():
    assert not beyond(Estimate(2, 1, 3, ""), "above", 1)
    assert not beyond(Estimate(0, -1, 1, ""), "below", 1)


def test_what_does_not_lead_its_control_is_said():
    """The control's own interval crosses the margin, but so wide that measured minus control crosses 0."""
    far = comparison([(1.1, 2)], (-4, 5), seeds=(0, 1))
    assert far.decide("above", 1) == NO_LEAD


def test_a_paired_lead_decides_where_an_unpaired_one_would_not():
    """The same difference of 0.4: between samples that move together, and between two that do not."""
    wide = np.random.default_rng(0).normal(2.0, 1.0, 12)
    paired = Comparison({"": Means({"same": wide + 0.4})}, Means({"same": wide}))
    apart = Comparison({"": Means({"one": wide + 0.4})}, Means({"other": wide}))
    assert paired.lead.low > 0 > apart.lead.low


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_decide_nothing(bad):
    broken = Resampled(bad, np.full(10, bad), np.full(3, bad), {"images": 3})
    assert Comparison({"": broken}, draws(*BELOW)).decide("above", 1) == UNDECIDED
    assert Comparison({"": draws(*ABOVE)}, broken).decide("above", 1) == UNDECIDED


def test_without_a_comparison_there_is_no_room_or_nothing_is_decided():
    assert (of_statement([], False), of_statement([], True)) == (NO_ROOM, UNDECIDED)


def test_an_unknown_direction_is_an_error():
    with pytest.raises(ValueError, match="not in tuple"):
        comparison([ABOVE], BELOW).decide("upwards", 1)


@pytest.mark.parametrize(
    ("comparisons", "decision"),
    [
        ([HOLDS, NOT_SPECIFIC], HOLDS),  # the control does not pass them all
        ([HOLDS, NO_LEAD], HOLDS),
        ([NOT_SPECIFIC, NOT_SPECIFIC], NOT_SPECIFIC),
        ([HOLDS, UNDECIDED], UNDECIDED),
    ],
)
def test_a_control_with_blocks_of_its_own_must_pass_them_all(comparisons, decision):
    assert of_statement(comparisons, True, one_control=True) == decision


@pytest.mark.parametrize(
    ("comparisons", "room", "decision"),
    [
        ([HOLDS, HOLDS], True, HOLDS),
        ([HOLDS, UNDECIDED], True, UNDECIDED),
        ([HOLDS, FAILS, UNDECIDED], True, FAILS),
        ([HOLDS, NOT_SPECIFIC], True, NOT_SPECIFIC),
        ([HOLDS, NO_LEAD], True, UNDECIDED),
        ([NOT_SPECIFIC, NOT_SPECIFIC], True, NOT_SPECIFIC),
        ([NOT_SPECIFIC, NO_LEAD], True, UNDECIDED),
        ([NOT_SPECIFIC, UNDECIDED], True, UNDECIDED),
        ([HOLDS, MIXED], True, MIXED),
        ([HOLDS], False, NO_ROOM),
        ([FAILS], False, NO_ROOM),
    ],
)
def test_all_comparisons_of_a_statement_must_hold(comparisons, room, decision):
    assert of_statement(comparisons, room) == decision


@pytest.mark.parametrize(
    ("statements", "decision"),
    [
        ([HOLDS, HOLDS], HOLDS),
        ([HOLDS, FAILS], PARTLY),
        ([UNDECIDED, FAILS, HOLDS], PARTLY),
        ([FAILS, UNDECIDED], FAILS),
        ([FAILS, FAILS], FAILS),
        ([HOLDS, UNDECIDED], UNDECIDED),
        ([UNDECIDED, UNDECIDED], UNDECIDED),
        ([HOLDS, NOT_SPECIFIC], UNDECIDED),
        ([NO_ROOM, NO_ROOM], NO_ROOM),
        ([NO_ROOM, HOLDS], UNDECIDED),
        ([NO_ROOM, FAILS], FAILS),
        ([MIXED, HOLDS], MIXED),
        ([MIXED, FAILS], FAILS),
    ],
)
def test_a_claim_from_its_statements(statements, decision):
    assert of_claim(statements) == decision


def test_a_claim_without_statements_is_an_error():
    with pytest.raises(ValueError, match="no statement"):
        of_claim([])


def test_how_many_more_would_decide():
    assert factor_to_decide(Estimate(1.5, 0.5, 2.5, ""), 1.0) == 5  # half as wide at four times as many: just more
    assert factor_to_decide(Estimate(0.5, -0.5, 1.5, ""), 1.0) == 5
    assert factor_to_decide(Estimate(2.0, 1.5, 2.5, ""), 1.0) is None  # decided
    assert factor_to_decide(Estimate(1.0, 0.5, 1.5, ""), 1.0) is None  # on the margin
