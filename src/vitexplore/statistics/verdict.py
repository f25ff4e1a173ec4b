"""The rule by which estimates become a decision about a statement, and decisions about statements one about a claim."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite

from vitexplore.statistics.intervals import Estimate, Statistic, mean_of

DIRECTIONS = ("above", "below")
HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"
MIXED, NOT_SPECIFIC, NO_ROOM, PARTLY = "mixed", "not specific", "no room", "partly"
NO_LEAD = "no lead"  # of one comparison: beyond the margin, but not for certain ahead of the control
# decisions as words: of models with the paper's own weights, and of others
ON_PAPER_MODELS = {HOLDS: "reproduced", FAILS: "not reproduced", PARTLY: "partly"}
ELSEWHERE = {HOLDS: "seen", FAILS: "not seen", PARTLY: "partly seen"}
NOT_RUN = "not run"


@dataclass(frozen=True)
class Comparison:
    """What is held against a margin: the mean over ``each`` (by model, training seed or family), which decides, and
    the same of a ``control``, for which it should not hold."""

    each: Mapping[str, Statistic]
    control: Statistic

    @property
    def measured(self) -> Estimate:
        return mean_of(list(self.each.values())).estimate()

    @property
    def lead(self) -> Estimate:
        """Measured minus control, paired where both are of the same images or features."""
        return (mean_of(list(self.each.values())) - self.control).estimate()

    def decide(self, direction: str, margin: float) -> str:
        """UNDECIDED for numbers that are not finite; MIXED where intervals of ``each`` lie on opposite sides of
        ``margin``; FAILS where the whole interval lies short of it in ``direction``, UNDECIDED where it holds it. Where
        it lies beyond: NOT_SPECIFIC where the control's does too, NO_LEAD where that of measured minus control holds 0,
        else HOLDS. An interval that ends at the margin is not beyond it."""
        measured, control = self.measured, self.control.estimate()
        if not all(isfinite(x) for e in (measured, control) for x in (e.value, e.low, e.high)):
            return UNDECIDED
        other = DIRECTIONS[1 - DIRECTIONS.index(direction)]
        own = [each.estimate() for each in self.each.values()]
        if any(beyond(e, direction, margin) for e in own) and any(beyond(e, other, margin) for e in own):
            return MIXED
        if beyond(measured, other, margin):
            return FAILS
        if not beyond(measured, direction, margin):
            return UNDECIDED
        if beyond(control, direction, margin):
            return NOT_SPECIFIC
        return HOLDS if beyond(self.lead, direction, 0) else NO_LEAD


def beyond(estimate: Estimate, direction: str, margin: float) -> bool:
    """Whether the whole interval lies beyond ``margin`` in ``direction`` (of DIRECTIONS)."""
    return estimate.low > margin if direction == "above" else estimate.high < margin


def of_statement(comparisons: Sequence[str], room: bool, one_control: bool = False) -> str:
    """A statement's decision from those of its comparisons: NO_ROOM where its gate failed, UNDECIDED where nothing was
    compared; FAILS, MIXED or UNDECIDED where one of them is, for all must lie beyond the margin. It HOLDS where they
    all hold; else it is NOT_SPECIFIC, or UNDECIDED where one has NO_LEAD. With ``one_control`` the comparisons are the
    inner blocks of one network, as the control's are: a control makes the statement too only where it passes them all,
    so that it is enough that it fails one and is behind there."""
    if not room:
        return NO_ROOM
    if not comparisons:
        return UNDECIDED
    if short := next((found for found in (FAILS, MIXED, UNDECIDED) if found in comparisons), None):
        return short
    if all(found == HOLDS for found in comparisons) or (one_control and HOLDS in comparisons):
        return HOLDS
    return UNDECIDED if NO_LEAD in comparisons else NOT_SPECIFIC


def of_claim(statements: Sequence[str]) -> str:
    """A claim's decision from those of its statements that the paper makes: HOLDS where all hold, PARTLY where some
    hold and some fail, FAILS where none holds and one fails, MIXED where a statement is, NO_ROOM where all are, else
    UNDECIDED. Raises ValueError where there is none."""
    if not statements:
        raise ValueError("no statement decides the claim")
    if len(set(statements)) == 1 and statements[0] in (HOLDS, NO_ROOM):
        return statements[0]
    if FAILS in statements:
        return PARTLY if HOLDS in statements else FAILS
    return MIXED if MIXED in statements else UNDECIDED


def factor_to_decide(estimate: Estimate, margin: float) -> int | None:
    """By how much the sample would have to grow for the interval to clear ``margin``, were the value to stay: its
    width falls with the square root of the sample. None where it clears it already, or the value lies on it."""
    distance = abs(estimate.value - margin)
    towards = estimate.value - estimate.low if estimate.value > margin else estimate.high - estimate.value
    if distance == 0 or not isfinite(towards) or towards < distance:
        return None
    return ceil((towards / distance) ** 2 + 1e-9)
