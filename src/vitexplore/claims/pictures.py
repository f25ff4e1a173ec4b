"""What the claims on visualizations share: a judge's answers, their ceiling, and the dead features."""

import numpy as np
import pandas as pd

from vitexplore.claims.decide import NotTested
from vitexplore.statistics.intervals import Estimate

SCORES = (
    "identification",
    "identification_natural",
    "identification_other",
    "ceiling",
    "ceiling_low",
    "high_frequency",
    "percentile",
    "path_agreement",
    "interpretability",
    "seed_agreement",
)


def usable(table: pd.DataFrame) -> None:
    """Raises NotTested where the models of ``table`` have no judge."""
    if table["ceiling"].isna().any():
        raise NotTested("needs a judge: a model that is not the visualized one")


def visualized(table: pd.DataFrame) -> bool:
    """Whether all features of ``table`` were visualized: none was left out for want of room."""
    return bool(table["picture"].notna().all())


def alive(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of features that could be visualized: the others are counted apart, not as bad pictures."""
    return table[~table["dead"].astype(bool)]


def ceilings(table: pd.DataFrame) -> Estimate:
    """What exemplars reach in a visualization's place, over all features of a layer, mean over the layers of
    ``table``: what the judge can tell at all."""
    layers = table.drop_duplicates(["model", "site", "block"])
    value, low = layers["ceiling"].mean(), layers["ceiling_low"].mean()
    return Estimate(float(value), float(low), float(2 * value - low), f"{len(layers)} layers")


def summary_of(table: pd.DataFrame, by: list[str], scored: pd.DataFrame | None = None) -> pd.DataFrame:
    """Mean SCORES of ``scored`` (all of ``table`` if left out) for each combination of the columns ``by``;
    ``less_ceiling``: identification less what an exemplar reaches; ``beats_natural``: the share of features that a
    visualization drives more than any natural image; of all of ``table`` the share that is ``dead``, and ``n``. Of
    features that were not visualized there is the ceiling alone."""
    scored = table if scored is None else scored
    beats = (scored["score"] > scored["natural"]).astype(float).where(scored["picture"].notna())
    less = scored["identification"] - scored["identification_natural"]
    scored = scored.assign(less_ceiling=less, beats_natural=beats)
    dead = table["dead"].astype(float).where(table["picture"].notna())
    every = table.assign(dead=dead).groupby(by, sort=False)["dead"].agg(dead="mean", n="size")
    return every.join(scored.groupby(by)[[*SCORES, "less_ceiling", "beats_natural"]].mean()).reset_index()


def of_feature(table: pd.DataFrame, column: str) -> np.ndarray:
    """``column`` in the order of features, float64."""
    return table.sort_values("feature")[column].to_numpy(np.float64)
