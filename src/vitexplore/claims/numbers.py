"""The numbers that a statement's word follows from, and the word. They are kept beside the words, so that each word can
be checked without the models and the images."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import inf, isfinite, nan
from typing import Any, Self

from vitexplore.statistics.intervals import Estimate
from vitexplore.statistics.verdict import (
    ALPHA,
    DIFFERS,
    NOT_TESTABLE,
    SEEN,
    UNDECIDED,
    Compared,
    Evidence,
    Threshold,
    counted,
    disagree,
    each_by_holm,
    evidence,
    factor_to_decide,
    of_all,
)

NOTHING = Compared(Estimate(nan, nan, nan, "0"), None, None)  # of a statement without comparisons
MANY = 100  # times as many images or features as there are: more are not worth saying


@dataclass(frozen=True)
class Numbers:
    """Of one statement: ``comparisons`` by what is compared with, each the mean over models, none where they are
    counted; ``each``: by model (or pair of models, class or concept), the same of it alone; ``models``: names of the
    models; ``gates``: what must lie above the statement's gate; ``why``: why it is not testable, if it is not;
    ``every``: whether it is about every one of ``each``, not about their mean;
    ``counts``: whether those of ``each`` are counted and the margin is of their ``number``, or of their ``share``;
    empty where they are not."""

    models: tuple[str, ...]
    comparisons: Mapping[str, Compared]
    each: Mapping[str, Mapping[str, Compared]]
    gates: tuple[Estimate, ...] = ()
    why: str = ""
    every: bool = False
    counts: str = ""

    def plain(self) -> dict[str, Any]:
        """For JSON; a number that is not finite is null."""
        return _plain(asdict(self))

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Self:
        """What ``plain`` gave."""
        return cls(
            **{name: plain[name] for name in ("why", "every", "counts")},
            models=tuple(plain["models"]),
            comparisons={what: _compared(one) for what, one in plain["comparisons"].items()},
            each={name: {what: _compared(one) for what, one in mine.items()} for name, mine in plain["each"].items()},
            gates=tuple(_estimate(gate) for gate in plain["gates"]),
        )


@dataclass(frozen=True)
class Decision:
    """``word`` of a statement, and ``why`` where it is not decided. ``comparison``: the one that is shown, of those
    that decide the least favourable, and its numbers, ``shown``. ``each``: the word of each model, allowing for their
    number, and of its comparisons the least favourable. ``margin``: that of the statement; of a share of what is
    counted, as a number. ``times``: how many times as much data would decide, were values to stay."""

    word: str
    margin: float
    why: str = ""
    comparison: str = ""
    shown: Compared = NOTHING
    each: Mapping[str, tuple[str, Compared]] = field(default_factory=dict)
    times: int | None = None


def decide(numbers: Numbers, statement: Mapping[str, Any]) -> Decision:
    """The word of ``statement`` (of claim.yaml) that follows from its ``numbers`` by the rule of
    statistics/verdict.py."""
    wanted = Threshold.of(statement)
    if numbers.counts == "share":
        wanted = replace(wanted, margin=wanted.margin * len(numbers.each))
    why = numbers.why or _closed_gate(numbers.gates, statement) or ("" if numbers.each else "nothing was measured")
    if why:
        return Decision(NOT_TESTABLE, wanted.margin, why)
    by_name = {name: evidence(list(mine.values()), _of_each(statement)) for name, mine in numbers.each.items()}
    words = {name: one.word for name, one in each_by_holm(by_name).items()}
    if numbers.counts:
        whole = {"": Compared(_count(numbers, by_name, statement), None, None)}
    elif numbers.every:
        whole = {_joined(name, what): one for name, mine in numbers.each.items() for what, one in mine.items()}
    else:
        whole = numbers.comparisons
    found = of_all(list(by_name.values())) if numbers.every else evidence(list(whole.values()), wanted)
    word = DIFFERS if not numbers.counts and disagree(by_name) else found.word
    comparison = _least_favourable(whole, wanted, word)
    shown = whole[comparison]
    each = {
        name: (words[name], mine[_least_favourable(mine, _of_each(statement), words[name])])
        for name, mine in numbers.each.items()
    }
    times, why = None, ""
    if word == UNDECIDED and numbers.counts:
        why = f"{list(words.values()).count(UNDECIDED)} of {len(words)} are undecided"
    elif word == UNDECIDED:
        times, why = _what_is_missing(found, shown, wanted)
    return Decision(word, wanted.margin, why, comparison, shown, each, times)


def _joined(name: str, what: str) -> str:
    return ", ".join(part for part in (name, what) if part)


def _of_each(statement: Mapping[str, Any]) -> Threshold:
    """What is asked of one model, class or concept."""
    if "item_margin" in statement:
        return Threshold(statement["direction"], statement["item_margin"], statement.get("nothing", 0.0))
    return Threshold.of(statement)


def _closed_gate(gates: tuple[Estimate, ...], statement: Mapping[str, Any]) -> str:
    """What is wrong with the statement's gate; empty where it lets through."""
    if "gate" not in statement:
        return ""
    margin = statement["gate"]["margin"]
    closed = [gate for gate in gates if not gate.low > margin]
    if not closed:
        return ""
    lowest = min(closed, key=lambda gate: gate.low)
    return (
        f"{statement['gate']['statistic']}: {lowest.value:.3g}, at least {lowest.low:.3g}; above {margin:g} is needed"
    )


def _count(numbers: Numbers, by_name: Mapping[str, Evidence], statement: Mapping[str, Any]) -> Estimate:
    wanted, many = _of_each(statement), len(by_name)
    values = {
        name: min(wanted.turned(one.measured).value for one in mine.values()) for name, mine in numbers.each.items()
    }
    return counted(by_name, values, wanted.up(wanted.margin), f"{many} {statement['item']}")


def _least_favourable(compared: Mapping[str, Compared], wanted: Threshold, word: str) -> str:
    """Of several comparisons the one that decides: what is surely short, or else what is least surely beyond."""
    end = "low" if word in (SEEN, UNDECIDED) else "high"
    return min(compared, key=lambda what: getattr(wanted.turned(compared[what].measured), end))


def _what_is_missing(found: Evidence, shown: Compared, wanted: Threshold) -> tuple[int | None, str]:
    if not shown.measured.finite:
        return None, "a number of it is not finite"
    if found.beyond < ALPHA:
        if shown.control and wanted.turned(shown.control).low > wanted.up(wanted.margin):
            return None, "the control lies beyond the margin too"
        return None, "beyond the margin, but not surely ahead of the control"
    times = factor_to_decide(shown.measured, wanted.margin)
    if times is None or times > MANY:
        return None, "too close to the margin"
    return times, f"{times} times as many would decide"


def plain(estimate: Estimate) -> dict[str, Any]:
    """For JSON; a number that is not finite is null."""
    return _plain(asdict(estimate))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _compared(plain: Mapping[str, Any]) -> Compared:
    return Compared(**{name: None if one is None else _estimate(one) for name, one in plain.items()})


def _estimate(plain: Mapping[str, Any]) -> Estimate:
    missing = {"freedom": inf}  # of numbers that are not finite
    return Estimate(**{name: missing.get(name, nan) if value is None else value for name, value in plain.items()})
