"""Statistics that choose on some units and score on others: intervals that cover the choice.

What such a statistic estimates is what its way of choosing reaches on new units, when it chooses on as many as here. So
its interval has to cover that other units would have led to another choice: both sets are resampled, and the choice is
made anew in each resample (Efron and Tibshirani 1993, section 19.1, on statistics of several samples).
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from vitexplore.statistics.intervals import Resampled, times_drawn, unseen

PART = 100  # resamples at once: their scores of all options are held


def select_then_score(chosen_on_nf: np.ndarray, scored_on_mf: np.ndarray, stream: int = 0) -> Resampled:
    """The mean over m units of the one of f options that has the highest mean over n other units. Resamples are the
    same for all callers of equal n, m and ``stream``."""
    chosen_on, scored_on = (np.asarray(part, dtype=np.float64) for part in (chosen_on_nf, scored_on_mf))
    n, m = len(chosen_on), len(scored_on)
    if min(n, m) < 1:
        raise ValueError("nothing to resample: 0 units")
    means_f, best = scored_on.mean(0), int(chosen_on.mean(0).argmax())
    drawn_n, drawn_m = times_drawn(n, 2 * stream + 1), times_drawn(m, 2 * stream)
    draws = np.concatenate(
        [
            _of_resamples(chosen_on, scored_on, drawn_n[part], drawn_m[part])
            for part in np.array_split(np.arange(len(drawn_n)), -(-len(drawn_n) // PART))
        ]
    )
    without_chosen = means_f[((chosen_on.sum(0) - chosen_on) / max(n - 1, 1)).argmax(1)]
    without_scored = (scored_on[:, best].sum() - scored_on[:, best]) / max(m - 1, 1)
    blind = 0.0 if np.ptp(scored_on[:, best]) else unseen(m)
    without = np.concatenate([without_chosen, without_scored])
    return Resampled(float(means_f[best]), draws, without, {"images": n + m}, blind=blind)


def _of_resamples(chosen_on: np.ndarray, scored_on: np.ndarray, n_rn: np.ndarray, m_rm: np.ndarray) -> np.ndarray:
    best = (n_rn.astype(np.float64) @ chosen_on).argmax(1)
    return (m_rm * scored_on[:, best].T).sum(1) / len(scored_on)


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
