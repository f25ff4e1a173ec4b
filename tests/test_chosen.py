"""Which features tables choose to be shown: by depth, by concept, and for the background."""

import numpy as np
import pandas as pd
import pytest

from vitexplore.experiments.concepts import CONCEPTS
from vitexplore.measures.chosen import BY_BLOCK, OF_A_FACTOR, explained_best, found_best, of_background
from vitexplore.statistics.splits import halves


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
    first, second = halves(8)
    auroc = np.full((6, 8), 0.5, dtype=np.float32)
    auroc[5, first], auroc[5, second] = 0.2, 0.4
    auroc[:3, second] = 0.0  # lower, on the half that does not choose
    auroc[5, first[0]] = np.nan  # no object there on the block's grid
    table = pd.DataFrame({"block": [0, 0, 0, 1, 1, 1], "feature": [0, 1, 2, 0, 1, 2], "auroc": list(auroc)})
    (row,) = of_background(table).to_dict("records")
    assert row == {"block": 1, "feature": 2, "chosen_by": pytest.approx(0.2), "auroc": pytest.approx(0.4)}
