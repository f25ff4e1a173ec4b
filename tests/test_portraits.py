"""Pictures of features by depth, by concept and for the background, and under what words they stand."""

import numpy as np
import open_clip
import pandas as pd
import pytest
import torch

from vitexplore.data.images import ImageSet
from vitexplore.figures.portraits import background_figure, caption_of, class_names, concept_rows, depth_rows
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
        }
    )
    rows = depth_rows(by_depth)
    assert [label for label, _, _ in rows] == ["block 0\ncentroid 0.25", "block 3\ncentroid 0.50"]
    assert rows[0][1:] == ([png(0.1), png(0.2)], ["class:\ncar", "time:\nat night"])


@pytest.fixture
def captioned(scenes) -> ImageSet:
    table = scenes.table.assign(caption=[f"picture {i}" for i in range(len(scenes))])
    return ImageSet(table, scenes.classes, scenes.pixels)


WINNERS = pd.DataFrame({"site": "ffn", "block": [0, 0, 0, 1], "feature": [7, 7, 6, 7], "image": [9, 4, 1, 2]})


def test_a_concept_has_its_features_best_images_under_their_captions(captioned):
    coding = pd.DataFrame({"concept": ["many"], "block": [0], "feature": [7], "held_out": [0.912], "picture": [png(1)]})
    ((label, pictures, captions),) = concept_rows(coding, WINNERS, captioned)
    assert label == "many\n0.7, AUROC 0.91"
    assert captions == ["visualization", "picture 9", "picture 4"]
    assert pictures[0] == png(1)
    assert np.array_equal(decode(pictures[1]), captioned.pixels[9])


def test_the_backgrounds_feature_stands_bare_beside_its_images_and_maps(scenes):
    row = pd.Series({"model": "vit", "site": "ffn", "block": 0, "feature": 7, "auroc": 0.04, "picture": png(1)})
    figure = background_figure(row, WINNERS, np.arange(8, dtype=np.float16).reshape(2, 2, 2), scenes)
    assert len(figure.axes) == 3
    over = [axis.images[1].get_alpha() for axis in figure.axes]
    assert np.all(over[0] == 0) and np.max(over[2]) == 0.75
    assert figure.get_suptitle() == "vit ffn 0.7: the background's feature (AUROC on the object 0.04)"


def test_a_photograph_is_called_by_its_class(scenes):
    assert caption_of(scenes, 0) == "tench"
    assert list(class_names()) == list(open_clip.IMAGENET_CLASSNAMES)
