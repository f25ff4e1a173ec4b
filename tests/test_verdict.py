"""The rule by which estimates become words."""

import numpy as np
import pytest
from scipy import stats

from vitexplore.statistics.intervals import Estimate, Means, Resampled
from vitexplore.statistics.verdict import (
    ALPHA,
    NOT_SEEN,
    OF_CONTROL,
    OPPOSITE,
    SEEN,
    UNDECIDED,
    WEAKER,
    Compared,
    Comparison,
    Evidence,
    Threshold,
    counted,
    disagree,
    each_by_holm,
    evidence,
    factor_to_decide,
    least_effect,
    of_all,
    summed_up,
)

MARGIN = 1.0
WANTED = Threshold("above", MARGIN)


def between(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, "")


def compared(measured, control=(-1, 1), lead=None) -> Compared:
    """``lead``: as if both were paired, if left out."""
    if lead is None:
        lead = measured[0] - sum(control) / 2, measured[1] - sum(control) / 2
    return Compared(between(*measured), between(*control), between(*lead))


# effects: 0 is nothing, the margin is 1
BEYOND, ACROSS, SMALL, NOTHING, BACK, WIDE = (2, 4), (0.5, 1.5), (0.1, 0.5), (-0.2, 0.3), (-3, -1), (-1, 2)
RULE = [
    ([compared(BEYOND)], SEEN),
    ([compared((1.0, 3))], UNDECIDED),  # an interval that ends at the margin is not beyond it
    ([compared(BEYOND, BEYOND, (0.1, 0.2))], UNDECIDED),  # the control is beyond the margin too
    ([compared(BEYOND, (-4, 5), (-1, 3))], UNDECIDED),  # not surely ahead of it
    ([compared(ACROSS)], UNDECIDED),
    ([compared(SMALL)], WEAKER),
    ([compared(SMALL, lead=(-0.1, 0.4))], NOT_SEEN),  # not surely ahead of the control
    ([compared(NOTHING)], NOT_SEEN),
    ([compared(WIDE)], UNDECIDED),
    ([compared(BACK)], OPPOSITE),
    ([compared(BACK, lead=(-0.4, 0.1))], NOT_SEEN),  # the control is as far back
    ([compared(BACK, (-4, -3.5), (0.5, 1))], NOT_SEEN),  # it is even further back
    ([compared(BEYOND), compared(BEYOND)], SEEN),
    ([compared(BEYOND), compared(ACROSS)], UNDECIDED),
    ([compared(BEYOND), compared(SMALL)], WEAKER),
    ([compared(BEYOND), compared(NOTHING)], NOT_SEEN),
    ([compared(BEYOND), compared(BACK)], NOT_SEEN),
    ([compared(BACK), compared(BACK)], OPPOSITE),
    ([Compared(between(*BEYOND), None, None)], SEEN),  # without a control
    ([Compared(between(*BACK), None, None)], OPPOSITE),
]


@pytest.mark.parametrize(("comparisons", "word"), RULE)
@pytest.mark.parametrize("direction", ["above", "below"])
def test_the_word_of_a_statement(comparisons, word, direction):
    def turned(one):
        return one if one is None or direction == "above" else Estimate(-one.value, -one.high, -one.low, "")

    mirrored = [Compared(turned(one.measured), turned(one.control), turned(one.lead)) for one in comparisons]
    wanted = Threshold(direction, MARGIN if direction == "above" else -MARGIN)
    assert evidence(mirrored, wanted).word == word


def test_what_is_nothing_may_lie_elsewhere():
    half = Threshold("below", 0.5, nothing=0.5)
    assert evidence([Compared(between(0.1, 0.3), None, None)], half).word == SEEN
    assert evidence([Compared(between(0.8, 0.9), None, None)], half).word == OPPOSITE
    assert evidence([Compared(between(0.4, 0.6), None, None)], half).word == UNDECIDED
    near = Threshold("above", -0.05, nothing=OF_CONTROL)
    assert evidence([compared((-0.1, -0.07), (-0.3, -0.2))], near).word == WEAKER
    assert evidence([compared((-0.4, -0.35), (-0.3, -0.2))], near).word == OPPOSITE


def test_an_exact_number_on_the_margin_is_not_beyond_it():
    half = Estimate(8.0, 8.0, 8.0, "16 classes")
    found = evidence([Compared(half, None, None)], Threshold("above", 8.0))
    assert found.short < ALPHA < found.beyond


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_decide_nothing(bad):
    broken = Estimate(bad, bad, bad, "")
    assert evidence([Compared(broken, None, None)], WANTED).word == UNDECIDED
    assert evidence([Compared(between(*BEYOND), broken, between(*BEYOND))], WANTED).word == UNDECIDED
    assert evidence([], WANTED).word == UNDECIDED


def test_an_unknown_direction_is_an_error():
    with pytest.raises(ValueError, match="direction 'upwards' is not in"):
        Threshold("upwards", 1)


# --- p-values


def test_a_tail_is_below_alpha_just_where_the_interval_ends():
    one = Estimate(2.0, 1.0, 2.5, "")  # not even
    assert one.tail_above(1.0) == pytest.approx(ALPHA) and one.tail_below(2.5) == pytest.approx(ALPHA)
    assert one.tail_above(0.99) < ALPHA < one.tail_above(1.01)
    assert one.tail_above(2.0) == 0.5 and one.tail_above(3.0) > 0.5


def test_the_tail_of_few_values_is_students():
    sample = np.random.default_rng(0).normal(0.5, 1, 9)
    found = Means({"": sample}).estimate().tail_above(0.0)
    assert found == pytest.approx(stats.ttest_1samp(sample, 0, alternative="greater").pvalue)


def test_a_value_without_spread_is_certain():
    point = Estimate(3.0, 3.0, 3.0, "")
    assert (point.tail_above(2), point.tail_above(3), point.tail_below(2)) == (0.0, 1.0, 1.0)


# --- many models


def evidences(*tails) -> dict[str, Evidence]:
    return {str(number): Evidence(tail, 1 - tail, tail, 1 - tail, tail) for number, tail in enumerate(tails)}


def test_models_are_judged_by_holm():
    tails = np.array([0.001, 0.04, 0.012, 0.9])
    found = [one.beyond for one in each_by_holm(evidences(*tails)).values()]
    order, slow, worst = np.argsort(tails), np.zeros(4), 0.0
    for place, index in enumerate(order):
        worst = max(worst, min(1.0, (4 - place) * tails[index]))
        slow[index] = worst
    assert found == pytest.approx(slow)


def test_models_that_are_all_alike_seldom_disagree():
    """38 families whose true effect is short of the margin by little, as in the paper's appendix: by single intervals
    some would be called beyond it in 17 of 100 tables."""
    rng, told = np.random.default_rng(0), 0
    for _ in range(400):
        families = {}
        for number in range(38):
            sample = Means({"": rng.normal(-0.07, 0.1, 16)}).estimate()
            families[str(number)] = evidence([Compared(sample, None, None)], Threshold("above", -0.05))
        told += disagree(families)
    assert told / 400 < 0.03


def test_models_surely_on_either_side_of_the_margin_disagree():
    sides = {name: evidence([Compared(between(*at), None, None)], WANTED) for name, at in (("a", BEYOND), ("b", BACK))}
    assert disagree(sides) and not disagree({"a": sides["a"], "c": sides["a"]})


def test_models_that_point_either_way_disagree_short_of_the_margin_too():
    small, back, nothing = (evidence([compared(at)], WANTED) for at in (SMALL, BACK, NOTHING))
    assert disagree({"a": small, "b": back}) and not disagree({"a": nothing, "b": back})


def test_a_model_whose_control_is_beyond_too_does_not_disagree_with_one_that_is_short():
    both_beyond = evidence([compared(BEYOND, BEYOND, (-0.1, 0.1))], WANTED)
    assert not disagree({"a": both_beyond, "b": evidence([compared(NOTHING)], WANTED)})


def test_every_pair_must_hold():
    pairs = [evidence([compared(each)], WANTED) for each in (BEYOND, BEYOND, SMALL)]
    assert of_all(pairs[:2]).word == SEEN and of_all(pairs).word == WEAKER
    assert of_all([pairs[0], evidence([compared(BACK)], WANTED)]).word == NOT_SEEN
    assert of_all([evidence([compared(BACK)], WANTED)] * 3).word == OPPOSITE


def test_items_are_counted_with_both_ends_sure():
    effects = {"sure": BEYOND, "likely": ACROSS, "no": NOTHING, "back": BACK}
    found = {name: evidence([compared(each)], WANTED) for name, each in effects.items()}
    values = {name: sum(each) / 2 for name, each in effects.items()}
    count = counted(found, values | {"likely": 1.01}, MARGIN, "4 things")
    assert (count.value, count.low, count.high) == (2, 1, 2)


def test_by_chance_alone_an_item_is_seldom_counted():
    """20 concepts at the margin itself, counted as a statement about at least one: wrong in at most 1 of 40 tables."""
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(800):
        items = {}
        for number in range(20):
            sample = Means({"": rng.normal(0.05, 0.2, 60)}).estimate()
            items[str(number)] = evidence([Compared(sample, None, None)], Threshold("above", 0.05))
        wrong += counted(items, dict.fromkeys(items, 0.05), 0.05, "").low > 0
    assert wrong / 800 < 0.035


# --- from statistics to estimates


def draws(low: float, high: float, seed: int = 0) -> Resampled:
    """A statistic whose interval goes from ``low`` to ``high``; of one seed, paired."""
    spread = np.random.default_rng(seed).permutation(np.linspace(-1 / 0.95, 1 / 0.95, 2001))
    middle, half = (low + high) / 2, (high - low) / 2
    return Resampled(middle, middle + half * spread, np.zeros(100), {"images": 100})


def test_a_paired_lead_decides_where_an_unpaired_one_would_not():
    """The same difference of 0.4: between samples that move together, and between two that do not."""
    rng = np.random.default_rng(0)
    wide = rng.normal(2.0, 1.0, 12)
    more = wide + rng.normal(0.4, 0.1, 12)
    paired = Comparison({"": Means({"same": more})}, Means({"same": wide})).compared
    apart = Comparison({"": Means({"one": more})}, Means({"other": wide})).compared
    assert paired.lead.low > 0 > apart.lead.low


def test_each_may_have_a_control_of_its_own():
    each, control = {"a": draws(2, 4), "b": draws(3, 5)}, {"a": draws(0, 1), "b": draws(2, 3)}
    found = Comparison(each, control)
    assert found.compared_each["b"].lead.value == pytest.approx(1.5)
    assert found.compared.control.value == pytest.approx(1.5) and found.compared.measured.value == pytest.approx(3.5)


# --- what stands beside a word


def test_the_least_effect_is_told_from_nothing_nine_times_in_ten():
    rng, error = np.random.default_rng(0), 0.3
    width = 2 * 1.959964 * error
    effect = least_effect(Estimate(0, -width / 2, width / 2, ""))
    told = (rng.normal(effect, error, 100_000) - width / 2 > 0).mean()
    assert told == pytest.approx(0.9, abs=0.005)


def test_how_many_more_would_decide():
    assert factor_to_decide(Estimate(1.5, 0.5, 2.5, ""), 1.0) == 5  # half as wide at four times as many: just more
    assert factor_to_decide(Estimate(0.5, -0.5, 1.5, ""), 1.0) == 5
    assert factor_to_decide(Estimate(2.0, 1.5, 2.5, ""), 1.0) is None  # decided
    assert factor_to_decide(Estimate(1.0, 0.5, 1.5, ""), 1.0) is None  # on the margin


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["seen", "seen"], "seen"),
        (["seen", "weaker", "seen"], "2 of 3 seen, 1 weaker"),
        (["not seen", "undecided"], "1 of 2 not seen, 1 undecided"),
        (["not found", "reproduced"], "1 of 2 reproduced, 1 not found"),
        (["opposite"], "opposite"),
    ],
)
def test_a_claim_has_the_words_of_its_statements(words, said):
    assert summed_up(words) == said
