"""Statistics with 95% intervals, in three kinds: resampled (images), a sum of means (few features), jackknifed.

Statistics of one kind can be subtracted and averaged. Where both sides rest on the same images, features or groups, the
difference is paired: what moves both sides alike drops out of its interval.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from operator import add
from typing import Self

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

RESAMPLES = 2000
PARTS = 20  # in which resamples are drawn and summed: images may be many
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95% interval; ``n`` says what was sampled, for example "2000 images"; ``freedom``: degrees
    of freedom, where the interval is Student's."""

    value: float
    low: float
    high: float
    n: str
    freedom: float = np.inf

    @property
    def finite(self) -> bool:
        return bool(np.isfinite([self.value, self.low, self.high]).all())

    def tail_above(self, margin: float) -> float:
        """One-sided p-value of "the true value is at most ``margin``": below 0.025 just where the interval lies above
        ``margin``. Beyond the interval's ends the value is taken to spread as Student's or the normal distribution
        does, which is what many tests at once need (Holm 1979)."""
        return self._tail(self.value - margin, self.value - self.low)

    def tail_below(self, margin: float) -> float:
        """The same of "the true value is at least ``margin``"."""
        return self._tail(margin - self.value, self.high - self.value)

    def _tail(self, distance: float, half_width: float) -> float:
        if half_width == 0:
            return float(distance <= 0)
        at = stdtrit(self.freedom, (1 + LEVEL) / 2) * distance / half_width
        return float(stdtr(self.freedom, -at))


class Statistic(ABC):
    """A number, and what its interval is made of."""

    value: float

    @abstractmethod
    def __add__(self, other: Self) -> Self: ...

    @abstractmethod
    def __mul__(self, factor: float) -> Self: ...

    @abstractmethod
    def estimate(self) -> Estimate: ...

    def __sub__(self, other: Self) -> Self:
        return self + other * -1.0


def mean_of(statistics: Sequence[Statistic]) -> Statistic:
    """The mean of statistics of one kind."""
    return reduce(add, statistics) * (1 / len(statistics))


def unseen(n: int) -> float:
    """How often an outcome may occur that ``n`` draws did not show, at the interval's level (Clopper and Pearson
    1934): what a sample without any spread leaves open of a mean of values between 0 and 1."""
    return 1 - ((1 - LEVEL) / 2) ** (1 / n)


@dataclass(frozen=True)
class Resampled(Statistic):
    """``draws`` float [r]: the statistic on resamples of ``sizes`` (how many of what); ``without`` float [n]: with each
    unit left out in turn. The interval is BCa (Efron 1987; Efron and Tibshirani 1993, section 14.3): the percentiles of
    the draws, corrected for bias and skewness. Resampling cannot see what no unit shows, so the interval is at least
    ``unseen`` wide to either side where no draw differs, and ``blind`` wide where a mean that the statistic is made of
    has no spread, as a count of zero. ``span``: how far the statistic would move were all units to go from their least
    to their greatest value, 1 for a rate; it is the unit of both."""

    value: float
    draws: np.ndarray
    without: np.ndarray
    sizes: Mapping[str, int]
    span: float = 1.0
    blind: float = 0.0

    def __add__(self, other: "Resampled") -> "Resampled":
        return replace(combined(np.add, self, other), span=self.span + other.span, blind=self.blind + other.blind)

    def __mul__(self, factor: float) -> "Resampled":
        found = combined(lambda value: value * factor, self)
        return replace(found, span=abs(factor) * self.span, blind=abs(factor) * self.blind)

    def estimate(self) -> Estimate:
        n = ", ".join(f"{size} {what}" for what, size in self.sizes.items())
        if not np.isfinite([self.value, *self.draws, *self.without]).all():
            return Estimate(self.value, np.nan, np.nan, n)
        if np.ptp(self.draws) < 1e-12:
            slack = max(self.span * unseen(min(self.sizes.values())), self.blind)
            return Estimate(self.value, self.value - slack, self.value + slack, n)
        low, high = map(float, np.quantile(self.draws, self._levels()))
        return Estimate(self.value, min(low, self.value - self.blind), max(high, self.value + self.blind), n)

    def _levels(self) -> np.ndarray:
        """The percentiles, 0 to 1, between which the interval lies."""
        below = (self.draws < self.value).mean() + (self.draws == self.value).mean() / 2
        bias = ndtri(np.clip(below, 0.5 / len(self.draws), 1 - 0.5 / len(self.draws)))
        apart = self.without.mean() - self.without
        spread = (apart**2).sum()
        skew = (apart**3).sum() / (6 * spread**1.5) if spread > 0 else 0.0
        z = bias + ndtri([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return ndtr(bias + z / (1 - skew * z))


@lru_cache(maxsize=4)
def times_drawn(count: int, stream: int = 0) -> np.ndarray:
    """How often each of ``count`` units is drawn in each resample: uint16 [r, count], the same for every caller."""
    rng = np.random.default_rng([stream, count])
    parts = [_times(rng.integers(count, size=(some, count))) for some in [RESAMPLES // PARTS] * PARTS]
    return np.concatenate(parts)


def _times(drawn_rn: np.ndarray) -> np.ndarray:
    """How often each of n units is drawn in each row: uint16 [r, n]."""
    some, count = drawn_rn.shape
    places = (drawn_rn + count * np.arange(some)[:, None]).ravel()
    return np.bincount(places, minlength=some * count).reshape(some, count).astype(np.uint16)


def _sums(times_rn: np.ndarray, values_nk: np.ndarray) -> np.ndarray:
    """Sums over resamples, float64 [r, k]."""
    return np.concatenate([times.astype(np.float64) @ values_nk for times in np.array_split(times_rn, PARTS)])


def resampled_means(values_kn: np.ndarray) -> list[Resampled]:
    """The mean of each row over images (columns), which are resampled: the same draws for all rows, and for all
    callers with as many. Raises ValueError where there is nothing to resample."""
    values, count = np.asarray(values_kn, dtype=np.float64), np.shape(values_kn)[1]
    if count < 1:
        raise ValueError("nothing to resample: 0 images")
    draws = _sums(times_drawn(count), values.T) / count
    without = (values.sum(1, keepdims=True) - values) / max(count - 1, 1)
    blind = np.where(np.ptp(values, axis=1) == 0, unseen(count), 0.0)
    rows = zip(values.mean(1), draws.T, without, blind, strict=True)
    return [
        Resampled(float(value), drawn, left, {"images": count}, blind=float(slack))
        for value, drawn, left, slack in rows
    ]


def resampled_mean(values: np.ndarray) -> Resampled:
    """The mean of ``values`` [n]."""
    return resampled_means(np.asarray(values)[None])[0]


def resampled_grid(values_nf: np.ndarray) -> Resampled:
    """The mean of a table of images by features, both of which are resampled."""
    images, features = values_nf.shape
    draws = (_sums(times_drawn(images), values_nf) * times_drawn(features, 1)).sum(1) / values_nf.size
    without = [(m.sum() - m) / max(len(m) - 1, 1) for m in (values_nf.mean(1), values_nf.mean(0))]
    sizes = {"images": images, "features": features}
    return Resampled(float(values_nf.mean()), draws, np.concatenate(without), sizes)


def combined(function: Callable[..., np.ndarray], *statistics: Resampled) -> Resampled:
    """``function`` of statistics that rest on the same draws, such as the largest of several means."""
    value, draws, without = (
        function(*(getattr(one, part) for one in statistics)) for part in ("value", "draws", "without")
    )
    span, blind = (max(getattr(one, part) for one in statistics) for part in ("span", "blind"))
    return Resampled(float(value), draws, without, statistics[0].sizes, span, blind)


def least(statistics: Sequence[Resampled]) -> Resampled:
    """The least of several statistics that rest on the same draws; which one it is may differ from draw to draw."""
    return combined(lambda *values: np.min(values, axis=0), *statistics)


def ratio(part: Resampled, whole: Resampled) -> Resampled:
    """``part`` over ``whole``, which rest on the same draws; not a number where ``whole`` is 0, but for rounding."""

    def divided(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.abs(whole) > 1e-12)

    found = combined(divided, part, whole)
    if np.isnan(found.value):
        return found
    return replace(found, span=part.span / abs(whole.value), blind=part.blind / abs(whole.value))


@dataclass(frozen=True)
class Means(Statistic):
    """The sum over ``samples`` of their means. Each is named and float [n], a value for each unit, and independent of
    the others; statistics with a sample of the same name have the same units in it. The interval is Student's, with
    the degrees of freedom of Satterthwaite 1946: right for few units, where a bootstrap is too narrow. ``span``: as in
    ``Resampled``, for samples without spread."""

    samples: Mapping[str, np.ndarray]
    what: str = "features"
    span: float = 1.0

    @property
    def value(self) -> float:
        return float(sum(sample.mean() for sample in self.samples.values()))

    def __add__(self, other: "Means") -> "Means":
        names = [*self.samples, *(name for name in other.samples if name not in self.samples)]
        summed = {name: self.samples.get(name, 0) + other.samples.get(name, 0) for name in names}
        return Means(summed, self.what, self.span + other.span)

    def __mul__(self, factor: float) -> "Means":
        return Means(
            {name: sample * factor for name, sample in self.samples.items()}, self.what, abs(factor) * self.span
        )

    def estimate(self) -> Estimate:
        counts = [len(sample) for sample in self.samples.values()]
        n = f"{sum(counts)} {self.what}"
        if min(counts) < 2:
            return Estimate(self.value, -np.inf, np.inf, n)
        variances = np.array([sample.var(ddof=1) / len(sample) for sample in self.samples.values()])
        total = variances.sum()
        if total < 1e-24:
            slack = self.span * unseen(min(counts))
            return Estimate(self.value, self.value - slack, self.value + slack, n)
        freedom = float(total**2 / (variances**2 / (np.array(counts) - 1)).sum())
        slack = float(stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(total))
        return Estimate(self.value, self.value - slack, self.value + slack, n, freedom)


@dataclass(frozen=True)
class Jackknifed(Statistic):
    """``without``: by what is sampled, the statistic with each group of it left out in turn, float [g]. The variance is
    the sum of the jackknife's over what is sampled (delete-a-group: Kott 2001), the interval Student's with the fewest
    groups less one. For statistics that a bootstrap biases, as it does information. ``n`` says how many of what."""

    value: float
    without: Mapping[str, np.ndarray]
    n: str

    def __add__(self, other: "Jackknifed") -> "Jackknifed":
        names = dict.fromkeys([*self.without, *other.without])
        without = {
            name: self.without.get(name, self.value) + other.without.get(name, np.float64(other.value))
            for name in names
        }
        return Jackknifed(self.value + other.value, without, self.n)

    def __mul__(self, factor: float) -> "Jackknifed":
        without = {name: values * factor for name, values in self.without.items()}
        return Jackknifed(self.value * factor, without, self.n)

    def estimate(self) -> Estimate:
        variance = sum((len(left) - 1) * left.var() for left in self.without.values())
        freedom = min(map(len, self.without.values())) - 1
        slack = float(stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(variance))
        return Estimate(float(self.value), self.value - slack, self.value + slack, self.n, freedom)


def over_models(values: Sequence[float], what: str) -> Estimate:
    """Student's interval of the mean over ``values``, one a model: of models like these, not of these alone."""
    return Means({"": np.array(values)}, what).estimate()
