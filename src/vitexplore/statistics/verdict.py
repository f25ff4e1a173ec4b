"""The rule by which estimates become a word about a statement.

A statement's effect is what was measured less what it is where there is ``nothing``, counted in the direction that the
paper names: above 0 it points where the paper says. ``Evidence`` holds one-sided p-values, each below ALPHA just where
a 95% interval lies wholly on one side; a word follows from them:

==============  =======================================================================================
seen            surely beyond the margin, and surely ahead of the control, which is not beyond it too
opposite        surely below 0, and surely behind the control
weaker          surely above 0 and surely ahead of the control, and surely short of the margin
not seen        surely short of the margin, and none of these
undecided       else
==============  =======================================================================================

Where several comparisons belong to one statement all of them must hold: what is said of all needs no allowance for
their number (Berger 1982), what is said of one among many is allowed for by Bonferroni's bound. Models that are judged
one by one are allowed for by Holm 1979.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Self

import numpy as np
from scipy.special import ndtri

from vitexplore.statistics.intervals import LEVEL, Estimate, Statistic, mean_of

DIRECTIONS = ("above", "below")
SEEN, WEAKER, NOT_SEEN, OPPOSITE = "seen", "weaker", "not seen", "opposite"
UNDECIDED, DIFFERS, NOT_TESTABLE, NOT_RUN = "undecided", "differs", "not testable", "not run"
WORDS = (SEEN, WEAKER, NOT_SEEN, OPPOSITE, DIFFERS, UNDECIDED, NOT_TESTABLE)  # of a statement
DECIDED = (SEEN, WEAKER, NOT_SEEN, OPPOSITE, DIFFERS)
ON_PAPER_MODELS = {SEEN: "reproduced", NOT_SEEN: "not found"}  # what is said of the paper's models instead
ALPHA = (1 - LEVEL) / 2
POWER = 0.9  # of the least effect that a run could have told
OF_CONTROL = "control"  # as `nothing`: there is no effect where the control is


@dataclass(frozen=True)
class Comparison:
    """What is held against a margin: the mean over ``each`` (by model, pair of models, class or concept), and the same
    of a ``control``, for which it should not hold: one for all, or one for each; None where there can be none."""

    each: Mapping[str, Statistic]
    control: Statistic | Mapping[str, Statistic] | None

    @property
    def compared(self) -> "Compared":
        """The mean over ``each``, and the control's."""
        controls = self.control.values() if isinstance(self.control, Mapping) else [self.control]
        return _compared(mean_of(list(self.each.values())), None if self.control is None else mean_of(list(controls)))

    @property
    def compared_each(self) -> dict[str, "Compared"]:
        by_name = self.control if isinstance(self.control, Mapping) else dict.fromkeys(self.each, self.control)
        return {name: _compared(statistic, by_name[name]) for name, statistic in self.each.items()}


def _compared(measured: Statistic, control: Statistic | None) -> "Compared":
    if control is None:
        return Compared(measured.estimate(), None, None)
    return Compared(measured.estimate(), control.estimate(), (measured - control).estimate())


@dataclass(frozen=True)
class Compared:
    """Estimates of one comparison: what was ``measured``, the ``control``, and the ``lead`` of the one over the other,
    paired where both are of the same images or features."""

    measured: Estimate
    control: Estimate | None
    lead: Estimate | None


@dataclass(frozen=True)
class Threshold:
    """What a statement asks: that its statistic lies in ``direction`` of ``margin``. ``nothing``: what the statistic is
    where there is no effect, a number or OF_CONTROL."""

    direction: str
    margin: float
    nothing: float | str = 0.0

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise ValueError(f"direction {self.direction!r} is not in {DIRECTIONS}")

    @classmethod
    def of(cls, statement: Mapping[str, object]) -> Self:
        """That of a statement of claim.yaml."""
        return cls(statement["direction"], statement["margin"], statement.get("nothing", 0.0))

    def turned(self, estimate: Estimate) -> Estimate:
        """``estimate``, turned so that the paper's direction is up."""
        if self.direction == "above":
            return estimate
        return replace(estimate, value=-estimate.value, low=-estimate.high, high=-estimate.low)

    def up(self, value: float) -> float:
        return value if self.direction == "above" else -value


@dataclass(frozen=True)
class Evidence:
    """One-sided p-values. ``beyond`` of "the effect is not beyond the margin", ``short`` of "it is not short of it",
    ``forth`` of "it is not above 0 and ahead of the control", ``back`` of "it is not below 0 and behind the control",
    ``ahead`` of "it is not ahead of the control, or the control lies beyond the margin too"."""

    beyond: float
    short: float
    forth: float
    back: float
    ahead: float

    @property
    def word(self) -> str:
        if self.beyond < ALPHA:
            return SEEN if self.ahead < ALPHA else UNDECIDED
        if self.back < ALPHA:
            return OPPOSITE
        if self.short < ALPHA:
            return WEAKER if self.forth < ALPHA else NOT_SEEN
        return UNDECIDED


NO_EVIDENCE = Evidence(1, 1, 1, 1, 1)


def evidence(compared: Sequence[Compared], wanted: Threshold) -> Evidence:
    """Of a statement whose comparisons are ``compared``, all of which must hold; its opposite is that all point back.
    Numbers that are not finite are no evidence."""
    parts = [part for one in compared for part in (one.measured, one.control, one.lead) if part is not None]
    if not compared or not all(part.finite for part in parts):
        return NO_EVIDENCE
    many, margin = len(compared), wanted.up(wanted.margin)
    measured = [wanted.turned(one.measured) for one in compared]
    leads = [wanted.turned(one.lead) if one.lead else None for one in compared]
    passes = [one.control is not None and wanted.turned(one.control).low > margin for one in compared]
    up = [0.0 if lead is None else lead.tail_above(0) for lead in leads]
    down = [0.0 if lead is None else lead.tail_below(0) for lead in leads]
    above, below = [0.0] * many, [0.0] * many
    if wanted.nothing != OF_CONTROL:
        zero = wanted.up(wanted.nothing)
        above, below = ([each.tail_above(zero) for each in measured], [each.tail_below(zero) for each in measured])
    return Evidence(
        beyond=max(each.tail_above(margin) for each in measured),
        short=_any([_tail_short(each, margin) for each in measured], many),
        forth=max(*above, *up),
        back=max(*below, *down),
        ahead=max(1.0 if passed else tail for passed, tail in zip(passes, up, strict=True)),
    )


def _tail_short(estimate: Estimate, margin: float) -> float:
    """An exact number, such as a count of which nothing is undecided, is not beyond the margin on which it lies."""
    return 0.0 if estimate.low == estimate.high == margin else estimate.tail_below(margin)


def _any(tails: Sequence[float], many: int) -> float:
    """The p-value of "none of ``many`` is so": Bonferroni's bound."""
    return min(1.0, many * min(tails))


def each_by_holm(found: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """The evidence of each of several models, allowing for their number (Holm 1979)."""
    adjusted = {part: _holm([getattr(one, part) for one in found.values()]) for part in Evidence.__annotations__}
    return {name: Evidence(**{part: adjusted[part][place] for part in adjusted}) for place, name in enumerate(found)}


def _holm(tails: Sequence[float]) -> list[float]:
    order, many, found, worst = np.argsort(tails), len(tails), [1.0] * len(tails), 0.0
    for place, index in enumerate(order):
        worst = max(worst, min(1.0, (many - place) * tails[index]))
        found[index] = worst
    return found


def of_all(found: Sequence[Evidence]) -> Evidence:
    """The evidence that something is so of each of several pairs of models; ``short``: that it is not of some."""
    short = _any([one.short for one in found], len(found))
    parts = {part: max(getattr(one, part) for one in found) for part in ("beyond", "forth", "back", "ahead")}
    return Evidence(short=short, **parts)


def disagree(found: Mapping[str, Evidence]) -> bool:
    """Whether some of several models are *seen* and others surely short of the margin, or some point the paper's way
    and others the opposite one, allowing for their number."""
    adjusted = each_by_holm(found).values()
    words = {one.word for one in adjusted}
    apart = SEEN in words and any(one.short < ALPHA for one in adjusted)
    return apart or (OPPOSITE in words and bool(words & {SEEN, WEAKER}))


def counted(found: Mapping[str, Evidence], values: Mapping[str, float], margin: float, n: str) -> Estimate:
    """How many of several items are beyond ``margin``: ``value`` by their ``values`` alone, turned so that the paper's
    direction is up; ``low``: those that are surely *seen*; ``high``: those that are not surely short of it. Either end
    holds for all items together with 97.5% (Holm 1979)."""
    adjusted = each_by_holm(found)
    low = sum(one.word == SEEN for one in adjusted.values())
    high = sum(one.short >= ALPHA for one in adjusted.values())
    value = sum(each > margin for each in values.values())
    return Estimate(float(min(max(value, low), high)), float(low), float(high), n)


def least_effect(estimate: Estimate) -> float:
    """The least true effect that a run with an interval as wide as this one's tells from nothing in POWER of cases."""
    return float((ndtri(POWER) - ndtri(ALPHA)) * (estimate.high - estimate.low) / (-2 * ndtri(ALPHA)))


def summed_up(words: Sequence[str]) -> str:
    """What is said of a claim whose statements have these ``words``: their word where all have the same, else how many
    have which, such as ``2 of 3 seen, 1 weaker``."""
    if len(set(words)) == 1:
        return words[0]
    counts = [(words.count(word), word) for word in sorted(set(words), key=in_order)]
    (first, word), *others = counts
    return ", ".join([f"{first} of {len(words)} {word}", *(f"{count} {word}" for count, word in others)])


def in_order(word: str) -> int:
    """The place of a word, of these models or of the paper's, in the order of WORDS."""
    return WORDS.index(next((here for here, there in ON_PAPER_MODELS.items() if word == there), word))


def factor_to_decide(estimate: Estimate, margin: float) -> int | None:
    """By how much the sample would have to grow for the interval to clear ``margin``, were the value to stay: its
    width falls with the square root of the sample. None where it clears it already, or the value lies on it."""
    distance = abs(estimate.value - margin)
    towards = estimate.value - estimate.low if estimate.value > margin else estimate.high - estimate.value
    if distance == 0 or not isfinite(towards) or towards < distance:
        return None
    return ceil((towards / distance) ** 2 + 1e-9)
