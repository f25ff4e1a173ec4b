"""Which features are worth a picture, by what tables say of them."""

import numpy as np
import pandas as pd

from vitexplore.statistics.splits import halves

BY_BLOCK = 8  # features of each block
OF_A_FACTOR = 3  # of those, at most


def explained_best(features: pd.DataFrame) -> pd.DataFrame:
    """Of each block the BY_BLOCK features that tell most of some factor, OF_A_FACTOR of the same one at most: rows of
    the table `features` of one model."""
    told = features[features["explained_by"] != ""].sort_values("bits", ascending=False, kind="stable")
    told = told.groupby(["block", "explained_by"]).head(OF_A_FACTOR).groupby("block").head(BY_BLOCK)
    return told.sort_values(["block", "bits"], ascending=[True, False], kind="stable").reset_index(drop=True)


def found_best(concepts: pd.DataFrame) -> pd.DataFrame:
    """A row for each concept: the feature that is found to fire most for it; for a category, on the first half of the
    classes. From the table `concepts` of one model."""
    first = concepts[concepts["fold"] == concepts.groupby("concept")["fold"].transform("min")]
    return first.rename(columns={"best": "feature"}).sort_values(["kind", "concept"]).reset_index(drop=True)


def of_background(localization: pd.DataFrame) -> pd.DataFrame:
    """The feature that answers most to the background and least to the object (paper Fig. 7), as one row: block,
    feature, ``chosen_by``, the lowest mean AUROC against the object on one half of the images, and ``auroc``, the same
    feature's on the other half. From the table `localization` of one model."""
    aurocs = pd.DataFrame(np.stack(localization["auroc"]))  # means leave out the images that are NaN
    first, second = (aurocs[half].mean(axis=1) for half in halves(aurocs.shape[1]))
    best = first.idxmin()
    block, feature = localization[["block", "feature"]].iloc[best]
    found = {"chosen_by": float(first[best]), "auroc": float(second[best])}
    return pd.DataFrame([{"block": int(block), "feature": int(feature), **found}])
