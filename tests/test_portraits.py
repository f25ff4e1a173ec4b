"""Pictures of features by depth and by concept, and under what words they stand."""

import numpy as np
import open_clip
import pandas as pd
import pytest
import torch

from vitexplore.data.images import ImageSet
from vitexplore.data.photos import imagenet_wnids
from vitexplore.figures.captions import caption_of, class_names
from vitexplore.figures.overlays import crossed_out, seen
from vitexplore.figures.portraits import concept_rows, depth_rows
from vitexplore.png import decode, encode


def png(level: float) -> bytes:
    return encode(torch.full((3, 8, 8), level))


def test_blocks_have_a_picture_and_words_for_each_feature():
    by_depth = pd.DataFrame(
        {
            "block": [0, 0, 3],
            "explained_by": ["class", "time", "class"],
            "value": ["car", "at night", "cat"],
            "centroid": [0.2, 0.3, 0.5],
            "picture": [png(0.1), png(0.2), png(0.3)],
            "dead": [False, True, False],
        }
    )
    (label, cells), (other, _) = depth_rows(by_depth)
    assert (label, other) == ("block 0\ncentroid 0.25", "block 3\ncentroid 0.50")
    assert [caption for _, caption in cells] == ["class:\ncar", "time:\nat night"]
    assert np.array_equal(cells[0][0], decode(png(0.1)))
    assert np.array_equal(cells[1][0], crossed_out(decode(png(0.2))))


@pytest.fixture
def captioned(scenes) -> ImageSet:
    table = scenes.table.assign(caption=[f"picture {i}" for i in range(len(scenes))])
    return ImageSet(table, scenes.classes, scenes.pixels)


WINNERS = pd.DataFrame({"site": "ffn", "block": [0, 0, 0, 1], "feature": [7, 7, 6, 7], "image": [9, 4, 1, 2]})
WINNERS["crop"] = 0.5


def test_a_concept_has_its_features_best_images_under_their_captions(captioned):
    coding = pd.DataFrame({"concept": ["many"], "block": [0], "feature": [7], "held_out": [0.912], "picture": [png(1)]})
    ((label, cells),) = concept_rows(coding.assign(dead=False), WINNERS, captioned)
    assert label == "many\nfeature 0.7\nAUROC 0.91"
    assert [caption for _, caption in cells] == ["drawn", "picture 9", "picture 4"]
    assert np.array_equal(cells[0][0], decode(png(1)))
    assert np.array_equal(cells[1][0], seen(captioned.image(9), 0.5))


def test_a_photograph_is_called_by_its_class(scenes):
    photographs = ImageSet(scenes.table, tuple(imagenet_wnids()))
    assert caption_of(photographs, 0) == "tench"
    assert caption_of(scenes, 0) == scenes.classes[0]
    assert list(class_names()) == list(open_clip.IMAGENET_CLASSNAMES)
