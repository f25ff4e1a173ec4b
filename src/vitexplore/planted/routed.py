"""Between two networks: a property in any strength."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from vitexplore.claims.decide import run_analysis
from vitexplore.claims.numbers import decide
from vitexplore.claims.text import Claim

Tables = list[pd.DataFrame]
STEPS = 12  # of a bisection


def routed(one: pd.DataFrame, other: pd.DataFrame, share: float) -> pd.DataFrame:
    """A table between those of two networks on the same images. Where a row is of an image, what was measured there is
    so much nearer to that of ``one``: ``share`` of it, the rest of ``other``. Where a row has an array of ranks, a
    ``share`` of the images, drawn once and for all, is answered by ``one`` and the rest by ``other``."""
    if "image" in one:
        keys = ["block", "measure", "image"]
        pairs = one.merge(other[[*keys, "value"]], on=keys, suffixes=("", "_other"))
        value = share * pairs["value"] + (1 - share) * pairs["value_other"]
        return pairs.drop(columns="value_other").assign(value=value)
    by_one = _first(len(one["rank"].iloc[0]), share)
    keys = ["surgery", "at"]
    pairs = one.merge(other[[*keys, "rank"]], on=keys, suffixes=("", "_other"))
    ranks = [np.where(by_one, a, b) for a, b in zip(pairs["rank"], pairs["rank_other"], strict=True)]
    return pairs.drop(columns="rank_other").assign(rank=ranks)


def _first(count: int, share: float) -> np.ndarray:
    """bool [count]"""
    return np.random.default_rng(0).permutation(count) < round(share * count)


def solved(
    claim: Claim, statement: str, wanted: float, make: Callable[[float], Tables], ends: Sequence[float]
) -> Tables:
    """The tables of ``make(strength)`` at which what ``statement`` measures lies at ``wanted``: by bisection between
    the ``ends`` of the strength, on whose sides it lies."""

    def measured(strength: float) -> float:
        analysis = run_analysis(claim, *make(strength))
        return decide(analysis.statements[statement].numbers(), claim.statements[statement]).shown.measured.value

    low, high = ends
    rising = measured(high) > measured(low)
    for _ in range(STEPS):
        middle = (low + high) / 2
        if (measured(middle) < wanted) == rising:
            low = middle
        else:
            high = middle
    return make((low + high) / 2)
