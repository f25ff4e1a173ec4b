"""Networks of which one answers some images and another the rest, so that a property is there in any strength."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from vitexplore.claims.decide import run_analysis
from vitexplore.claims.numbers import decide
from vitexplore.claims.text import Claim

Tables = list[pd.DataFrame]
STEPS = 12  # of a bisection


def routed(one: pd.DataFrame, other: pd.DataFrame, share: float) -> pd.DataFrame:
    """A table in which a ``share`` of the images, drawn once and for all, is answered by the network of ``one`` and the
    rest by that of ``other``. Either has the same images, a row for each or an array of all in each row."""
    if "image" in one:
        images = np.unique(one["image"])
        first = images[_first(len(images), share)]
        parts = [one[one["image"].isin(first)], other[~other["image"].isin(first)]]
        return pd.concat(parts, ignore_index=True).assign(**_identity(one))
    by_one = _first(len(one["rank"].iloc[0]), share)
    keys = ["surgery", "at"]
    pairs = one.merge(other[[*keys, "rank"]], on=keys, suffixes=("", "_other"))
    ranks = [np.where(by_one, a, b) for a, b in zip(pairs["rank"], pairs["rank_other"], strict=True)]
    return pairs.drop(columns="rank_other").assign(rank=ranks)


def _first(count: int, share: float) -> np.ndarray:
    """bool [count]"""
    return np.random.default_rng(0).permutation(count) < round(share * count)


def _identity(table: pd.DataFrame) -> dict[str, object]:
    return table.iloc[0][["model", "weights"]].to_dict()


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
