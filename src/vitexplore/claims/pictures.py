"""What the claims on visualizations share: a judge's answers, their ceiling, and the dead features."""

import numpy as np
import pandas as pd

from vitexplore.claims.decide import NotTested
from vitexplore.statistics.intervals import Estimate

SCORES = (
    "identification",
    "identification_natural",
    "identification_other",
    "less_ceiling",
    "ceiling",
    "ceiling_low",
    "high_frequency",
    "percentile",
    "path_agreement",
    "interpretability",
    "seed_agreement",
    "dead",
)


def usable(table: pd.DataFrame) -> None:
    """Raises NotTested where no judge has looked at the pictures of ``table``."""
    if table["identification"].isna().any():
        raise NotTested("needs a judge: a model that is not the visualized one")


def alive(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of features that could be visualized: the others are counted apart, not as bad pictures."""
    return table[~table["dead"].astype(bool)]


def ceilings(table: pd.DataFrame) -> Estimate:
    """What exemplars reach in a visualization's place, over all features of a layer, mean over the layers of
    ``table``: what the judge can tell at all."""
    layers = table.drop_duplicates(["model", "site", "block"])
    value, low = layers["ceiling"].mean(), layers["ceiling_low"].mean()
    return Estimate(float(value), float(low), float(2 * value - low), f"{len(layers)} layers")


def summary_of(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean scores for each combination of the columns ``by``; ``dead``: the share of features that could not be
    visualized; ``beats_natural``: of those that a visualization drives more than any natural image; ``n``."""
    beats = table.assign(beats_natural=table["score"] > table["natural"])
    grouped = beats.groupby(by, sort=False)
    return grouped[[*SCORES, "beats_natural"]].mean().assign(n=grouped.size()).reset_index()


def of_feature(table: pd.DataFrame, column: str) -> np.ndarray:
    """``column`` in the order of features, float64."""
    return table.sort_values("feature")[column].to_numpy(np.float64)
