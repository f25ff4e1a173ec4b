"""Foreground and background accuracy: the right pixels reach the model, and the control knows nothing."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from vitexplore.data.images import ImageSet, preprocess
from vitexplore.errors import InputError
from vitexplore.experiments.background import MEAN_IMAGE, accuracy_table, background_ranks
from vitexplore.models.heads import Head, make_head

CONDITIONS = ["full", "foreground", "background", MEAN_IMAGE]


def ranks_of(frame: pd.DataFrame, condition: str) -> pd.Series:
    return frame[frame["condition"] == condition].set_index("image")["rank"]


def slow_rank(vit, picture: torch.Tensor, label: int) -> int:
    with torch.no_grad():
        logits = vit.module(picture[None])[0].tolist()
    return sum(other > logits[label] for other in logits)


def test_each_condition_ranks_every_image_with_boxes(vit, scenes):
    table = scenes.table.copy()
    table["boxes"] = [[] if i in (2, 5) else boxes for i, boxes in enumerate(table["boxes"])]
    some = ImageSet(table, scenes.classes, scenes.pixels, scenes.masks)
    ranks = background_ranks(vit, Head(vit, None), some, "own", batch=5)
    known = [i for i in range(len(some)) if i not in (2, 5)]
    assert list(ranks["condition"].unique()) == CONDITIONS
    assert all(list(ranks_of(ranks, condition).index) == known for condition in CONDITIONS)


def test_a_sample_is_of_the_images_with_boxes(vit, scenes):
    ranks = background_ranks(vit, Head(vit, None), scenes, "own", most=6)
    assert (accuracy_table(ranks)["n"] == 6).all()


def test_the_model_sees_the_pixels_inside_or_outside_the_boxes(vit, scenes):
    ranks = background_ranks(vit, Head(vit, None), scenes, "paper_table2", batch=7)
    transform = preprocess(vit.spec, "paper_table2")
    for index in range(0, len(scenes), 3):
        inside = np.zeros(scenes.pixels.shape[1:3], dtype=bool)
        for left, top, right, bottom in scenes.table["boxes"][index]:
            inside[int(top) : int(bottom), int(left) : int(right)] = True
        for condition, kept in (("full", inside | True), ("foreground", inside), ("background", ~inside)):
            pixels = np.where(kept[..., None], scenes.pixels[index], 0).astype(np.uint8)
            expected = slow_rank(vit, transform(Image.fromarray(pixels)), scenes.labels[index])
            assert ranks_of(ranks, condition)[index] == expected, (condition, index)


def test_the_mean_image_gives_all_images_the_same_logits(vit, scenes):
    """With one image of each class, equal logits put each class at a rank of its own."""
    ranks = ranks_of(background_ranks(vit, Head(vit, None), scenes, "own", batch=6), MEAN_IMAGE)
    mean = torch.stack([preprocess(vit.spec)(scenes.image(i)) for i in range(len(scenes))]).mean(0)
    assert sorted(ranks) == list(range(len(scenes.classes)))
    assert list(ranks) == [slow_rank(vit, mean, label) for label in scenes.labels]


def test_accuracy_table_against_counting_by_hand():
    ranks = pd.DataFrame({"condition": ["full"] * 4 + ["foreground"] * 2, "rank": [0, 1, 4, 5, 0, 2]})
    table = accuracy_table(ranks)
    assert list(table.columns) == ["condition", "top1", "top2", "top5", "n"]
    assert table.to_numpy().tolist() == [["full", 25.0, 50.0, 75.0, 4], ["foreground", 50.0, 50.0, 100.0, 2]]


def test_no_box_at_all_is_refused(shared_vit, scenes):
    table = scenes.table.assign(boxes=[[] for _ in range(len(scenes))])
    bare = ImageSet(table, scenes.classes, scenes.pixels, scenes.masks)
    with pytest.raises(InputError, match="no image has a box"):
        background_ranks(shared_vit, make_head(shared_vit, scenes.classes), bare, "own")
