"""Which features are shown by depth and by concept, and under what words."""

import numpy as np
import pandas as pd
import torch

from vitexplore.commands.concept_features import (
    BY_BLOCK,
    OF_A_FACTOR,
    caption_of,
    concept_rows,
    depth_rows,
    explained_best,
    found_best,
)
from vitexplore.data.images import ImageSet


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


def test_a_concept_shows_the_feature_that_is_found_best_in_any_block():
    concepts = pd.DataFrame(
        {
            "concept": ["many", "many", "animal", "animal"],
            "kind": ["caption", "caption", "category", "category"],
            "fold": [0, 0, 0, 1],
            "block": [1, 4, 2, 5],
            "best": [10, 20, 30, 40],
            "found": [0.7, 0.8, 0.6, 0.9],  # the last one of the other half of the classes
        }
    )
    shown = found_best(concepts).set_index("concept")
    assert (shown.loc["many", "block"], shown.loc["many", "feature"]) == (4, 20)
    assert (shown.loc["animal", "block"], shown.loc["animal", "feature"]) == (2, 30)


def test_rows_have_a_picture_for_each_caption(scenes):
    shown = explained_best(features()).assign(centroid=0.25)
    pictures = {(block, feature): torch.rand(3, 8, 8) for block in (0, 3) for feature in range(20)}
    rows = depth_rows(shown, pictures)
    assert [label for label, _, _ in rows] == ["block 0\ncentroid 0.25", "block 3\ncentroid 0.25"]
    assert rows[0][2][0] == "class:\ncar"
    assert all(len(images) == len(captions) for _, images, captions in rows)

    coding = pd.DataFrame({"concept": ["many"], "block": [0], "feature": [7], "held_out": [0.912]})
    top = pd.DataFrame({"site": "ffn", "block": 0, "feature": 7, "place": [1, 0], "image": [4, 9]})
    captioned = ImageSet(
        scenes.table.assign(caption=[f"picture {i}" for i in range(16)]), scenes.classes, scenes.pixels
    )
    ((label, images, captions),) = concept_rows(coding, pictures, top, captioned)
    assert label == "many\n0.7, AUROC 0.91"
    assert captions == ["visualization", "picture 9", "picture 4"]
    assert len(images) == 3


def test_a_photograph_is_called_by_its_class(scenes):
    assert caption_of(scenes, 0) == "tench"
