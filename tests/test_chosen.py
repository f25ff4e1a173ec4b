"""Which features tables choose to be shown: by depth, by concept, and for the background."""

import numpy as np
import pandas as pd
import pytest

from vitexplore.experiments.concepts import CONCEPTS
from vitexplore.measures.chosen import BY_BLOCK, OF_A_FACTOR, explained_best, found_best, of_background
from vitexplore.stats import halves


def features() -> pd.DataFrame:
    """Two blocks of 20 features: of a class, of a time and of nothing in turn, the later the more bits."""
    told = np.tile(["class", "time", "", "class"], 5)
    block = pd.DataFrame({"feature": np.arange(20), "explained_by": told, "bits": np.arange(20) / 20, "value": "car"})
    return pd.concat([block.assign(block=0), block.assign(block=3)], ignore_index=True)


def test_each_block_shows_the_features_that_tell_most_few_of_one_factor():
    shown = explained_best(features())
    assert shown["block"].unique().tolist() == [0, 3]
    for _, mine in shown.groupby("block"):
        assert len(mine) == min(BY_BLOCK, 2 * OF_A_FACTOR)
        assert mine[mine["explained_by"] == "class"]["feature"].tolist() == [19, 16, 15]
        assert mine["bits"].is_monotonic_decreasing
    assert "" not in set(shown["explained_by"])


def test_a_concept_shows_the_feature_that_is_found_on_the_first_half_of_the_classes():
    concepts = pd.DataFrame(
        {
            "concept": ["many", "animal", "animal"],
            "kind": ["caption", "category", "category"],
            "fold": [0, 0, 1],
            "block": [4, 2, 5],
            "best": [20, 30, 40],
            "found": [0.8, 0.6, 0.9],
        }
    )
    shown = found_best(concepts).set_index("concept")
    assert (shown.loc["many", "block"], shown.loc["many", "feature"]) == (4, 20)
    assert (shown.loc["animal", "block"], shown.loc["animal", "feature"]) == (2, 30)


def test_without_concepts_there_is_nothing_to_show():
    assert found_best(pd.DataFrame(columns=CONCEPTS)).empty


def test_the_backgrounds_feature_is_chosen_on_one_half_and_scored_on_the_other():
    rows = [(block, feature, image) for block in (0, 1) for feature in (0, 1, 2) for image in range(8)]
    table = pd.DataFrame(rows, columns=["block", "feature", "image"]).assign(auroc=0.5)
    first, second = (table["image"].isin(half) for half in halves(8))
    chosen = (table["block"] == 1) & (table["feature"] == 2)
    table.loc[chosen & first, "auroc"] = 0.2
    table.loc[chosen & second, "auroc"] = 0.4
    table.loc[(table["block"] == 0) & second, "auroc"] = 0.0  # lower, on the half that does not choose
    (row,) = of_background(table).to_dict("records")
    assert row == {"block": 1, "feature": 2, "chosen_by": pytest.approx(0.2), "auroc": pytest.approx(0.4)}
