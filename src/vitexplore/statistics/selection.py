"""Statistics that choose on some units and score on others: intervals that cover the choice.

What such a statistic estimates is what its way of choosing reaches on new units, when it chooses on as many as here. So
its interval has to cover that other units would have led to another choice: both sets are resampled, and the choice is
made anew in each resample (Efron and Tibshirani 1993, section 19.1, on statistics of several samples).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from vitexplore.statistics.intervals import Resampled, times_drawn, unseen

PART = 100  # resamples at once: their scores of all options are held


def select_then_score(chosen_on_nf: np.ndarray, scored_on_mf: np.ndarray, stream: int = 0) -> Resampled:
    """The mean over m units of the one of f options that has the highest mean over n other units. Resamples are the
    same for all callers of equal n, m and ``stream``.

    A draw is the mean of the chosen option over resampled units that score, plus how much more or less another choice
    reaches, made on resampled units that choose. Means of other options differ by more than they truly do, for they are
    noisy too: so that part is made smaller, until its variance is what it would be without the noise. Both sets of
    units measure the same: options that nearly tie where they choose nearly tie where they score."""
    chosen_on, scored_on = (np.asarray(part, dtype=np.float64) for part in (chosen_on_nf, scored_on_mf))
    n, m = len(chosen_on), len(scored_on)
    if min(n, m) < 1:
        raise ValueError("nothing to resample: 0 units")
    best = int(chosen_on.mean(0).argmax())
    own = beside_selection(scored_on[:, best], n, stream)
    chosen_r = _choices(chosen_on, times_drawn(n, 2 * stream + 1))
    options, place_r, counts = np.unique(chosen_r, return_inverse=True, return_counts=True)
    share, scored = counts / counts.sum(), scored_on[:, options]
    apart = scored.mean(0) - share @ scored.mean(0)
    seen = share @ apart**2
    true = max(seen - _variance_of_noise(scored, share), 0)
    moved = apart * np.sqrt(true / seen) if true else np.zeros(len(options))
    return replace(own, draws=own.draws + moved[place_r])


def _choices(chosen_on_nf: np.ndarray, n_rn: np.ndarray) -> np.ndarray:
    """The option that each resample chooses, int [r]."""
    parts = np.array_split(n_rn, -(-len(n_rn) // PART))
    return np.concatenate([(part.astype(np.float64) @ chosen_on_nf).argmax(1) for part in parts])


def _variance_of_noise(scored_mk: np.ndarray, share_k: np.ndarray) -> float:
    """How far the means of k options lie apart by chance alone: the expected variance over them, with weights."""
    m = len(scored_mk)
    if m < 2:
        return np.inf
    centred = scored_mk - scored_mk.mean(0)
    each, of_mean = share_k @ (centred**2).sum(0), ((centred @ share_k) ** 2).sum()
    return float((each - of_mean) / (m * (m - 1)))


def beside_selection(scored_on_m: np.ndarray, n: int, stream: int = 0) -> Resampled:
    """The mean over the m units alone, on the same resamples as ``select_then_score``: for differences and ratios."""
    values = np.asarray(scored_on_m, dtype=np.float64)
    m = len(values)
    draws = (times_drawn(m, 2 * stream) @ values) / m
    without = np.concatenate([np.full(n, values.mean()), (values.sum() - values) / max(m - 1, 1)])
    blind = 0.0 if np.ptp(values) else unseen(m)
    return Resampled(float(values.mean()), draws, without, {"images": n + m}, blind=blind)


def over_strata(strata: Sequence[Resampled]) -> Resampled:
    """The mean over ``strata``, each of which rests on units of its own."""
    many, mean = len(strata), reduce(np.add, [one.value for one in strata]) / len(strata)
    return Resampled(
        float(mean),
        reduce(np.add, [one.draws for one in strata]) / many,
        np.concatenate([mean + (one.without - one.value) / many for one in strata]),
        {what: sum(one.sizes[what] for one in strata) for what in strata[0].sizes},
        span=float(np.mean([one.span for one in strata])),
        blind=float(np.mean([one.blind for one in strata])),
    )
