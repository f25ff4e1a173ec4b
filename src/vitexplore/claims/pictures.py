"""What the claims on visualizations share: a judge's answers, what a dead picture counts, and the ceiling."""

import numpy as np
import pandas as pd

from vitexplore.claims.decide import NotTested
from vitexplore.statistics.intervals import Estimate

CHANCE = 0.5  # of identification
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


def told(table: pd.DataFrame, column: str = "identification") -> pd.Series:
    """How well a judge tells each feature by its picture, float64 [rows]. A dead picture tells nothing: it counts as
    chance, whatever the judge makes of its noise."""
    return table[column].mask(table["dead"].astype(bool), CHANCE).astype(np.float64)


def ceilings(table: pd.DataFrame) -> Estimate:
    """What exemplars reach in a visualization's place, over all features of a layer, mean over the layers of
    ``table``: what the judge can tell at all."""
    layers = table.drop_duplicates(["model", "site", "block"])
    value, low = layers["ceiling"].mean(), layers["ceiling_low"].mean()
    return Estimate(float(value), float(low), float(2 * value - low), f"{len(layers)} layers")


def summary_of(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean SCORES for each combination of the columns ``by``; ``told``, see there; ``less_ceiling``: told less what an
    exemplar reaches; ``beats_natural``: the share of features that a visualization drives more than any natural image;
    the share that is ``dead``, and ``n``. Of features that were not visualized there is the ceiling alone."""
    drawn = table["picture"].notna()
    found = table.assign(told=told(table).where(drawn), dead=table["dead"].astype(float).where(drawn))
    found["less_ceiling"] = found["told"] - found["identification_natural"]
    found["beats_natural"] = (found["score"] > found["natural"]).astype(float).where(drawn)
    grouped = found.groupby(by, sort=False)
    means = grouped[["dead", "told", "less_ceiling", "beats_natural", *SCORES]].mean()
    return means.join(grouped.size().rename("n")).reset_index()
