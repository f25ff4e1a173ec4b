"""Foreground and background accuracy: the right pixels reach the model, and the control knows nothing."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader, preprocess
from vitexplore.errors import InputError
from vitexplore.measures.accuracy import accuracy_table
from vitexplore.measures.background import background_ranks, share_of_box_cropped
from vitexplore.models.heads import Head, make_head

SHOWN = [
    ("full", "", ""),
    *((condition, fill, "boxes") for fill in ("black", "mean", "blur") for condition in ("foreground", "background")),
    *((condition, "black", "pixels") for condition in ("foreground", "background")),
    ("mean_image", "", ""),
]


def ranks_of(frame: pd.DataFrame, condition: str, fill: str = "", along: str = "") -> pd.Series:
    mine = (frame["condition"] == condition) & (frame["fill"] == fill) & (frame["along"] == along)
    return frame[mine].set_index("image")["rank"]


def slow_rank(vit, picture: torch.Tensor, label: int) -> int:
    with torch.no_grad():
        logits = vit.module(picture[None])[0].tolist()
    return sum(other > logits[label] for other in logits)


def test_each_condition_ranks_every_image_that_is_shown(vit, scenes):
    table = scenes.table.copy()
    table["boxes"] = [[] if i in (2, 5) else boxes for i, boxes in enumerate(table["boxes"])]
    some = ImageSet(table, scenes.classes, scenes.pixels, scenes.masks)
    ranks = background_ranks(vit, Head(vit, None), Loader(some, batch=5).with_boxes())
    known = [i for i in range(len(some)) if i not in (2, 5)]
    found = ranks[["condition", "fill", "along"]].drop_duplicates()
    assert sorted(map(tuple, found.to_numpy())) == sorted(SHOWN)
    assert all(sorted(ranks_of(ranks, *view).index) == known for view in SHOWN)


def test_a_sample_is_of_the_images_with_boxes(vit, scenes):
    table = scenes.table.assign(boxes=[[] if i % 2 else boxes for i, boxes in enumerate(scenes.table["boxes"])])
    some = Loader(ImageSet(table, scenes.classes, scenes.pixels, scenes.masks))
    ranks = background_ranks(vit, Head(vit, None), some.with_boxes().sample(6))
    assert (accuracy_table(ranks, ["condition", "fill", "along"])["n"] == 6).all()
    assert (ranks["image"] % 2 == 0).all()


def test_the_model_sees_the_pixels_inside_or_outside_the_boxes_or_the_object(vit, scenes):
    ranks = background_ranks(vit, Head(vit, None), Loader(scenes, "paper", batch=7))
    transform = preprocess(vit.spec, "paper")
    for index in range(0, len(scenes), 3):
        boxes = np.zeros(scenes.pixels.shape[1:3], dtype=bool)
        for left, top, right, bottom in scenes.table["boxes"][index]:
            boxes[int(top) : int(bottom), int(left) : int(right)] = True
        for along, inside in (("boxes", boxes), ("pixels", scenes.masks[index].astype(bool))):
            for condition, kept in (("foreground", inside), ("background", ~inside)):
                pixels = np.where(kept[..., None], scenes.pixels[index], 0).astype(np.uint8)
                expected = slow_rank(vit, transform(Image.fromarray(pixels)), scenes.labels[index])
                assert ranks_of(ranks, condition, "black", along)[index] == expected, (condition, along, index)
        pixels = scenes.pixels[index].copy()
        pixels[boxes] = pixels[~boxes].mean(0).round()
        expected = slow_rank(vit, transform(Image.fromarray(pixels)), scenes.labels[index])
        assert ranks_of(ranks, "background", "mean", "boxes")[index] == expected
        assert ranks_of(ranks, "full")[index] == slow_rank(vit, transform(scenes.image(index)), scenes.labels[index])


def test_without_pixel_masks_only_boxes_are_cut_along(vit, scenes):
    bare = ImageSet(scenes.table, scenes.classes, scenes.pixels)
    ranks = background_ranks(vit, Head(vit, None), Loader(bare).sample(4))
    assert set(ranks["along"]) == {"", "boxes"}


def test_what_the_crop_cuts_of_the_box_against_counting_pixels(vit):
    boxes = [[[0.0, 0.0, 20.0, 40.0]], [[30.0, 10.0, 50.0, 30.0]], [[0.0, 0.0, 80.0, 40.0]]]
    table = pd.DataFrame({"label": 0, "name": "x", "path": "", "boxes": boxes, "width": 80, "height": 40})
    transform = preprocess(vit.spec, "paper")  # the middle 40 x 40 of 80 x 40: columns 20 to 59
    lost = share_of_box_cropped(ImageSet(table, ("a",)), np.arange(3), transform)
    assert lost.tolist() == [1.0, 0.0, 0.5]


def test_the_mean_image_gives_all_images_the_same_logits(vit, scenes):
    """With one image of each class, equal logits put each class at a rank of its own."""
    ranks = ranks_of(background_ranks(vit, Head(vit, None), Loader(scenes, batch=6)), "mean_image")
    mean = torch.stack([preprocess(vit.spec)(scenes.image(i)) for i in range(len(scenes))]).mean(0)
    assert sorted(ranks) == list(range(len(scenes.classes)))
    assert list(ranks) == [slow_rank(vit, mean, label) for label in scenes.labels]


def test_accuracy_table_against_counting_by_hand():
    conditions, fills = ["full"] * 4 + ["foreground"] * 2, [""] * 4 + ["blur"] * 2
    ranks = pd.DataFrame({"condition": conditions, "fill": fills, "along": "boxes", "rank": [0, 1, 4, 5, 0, 2]})
    table = accuracy_table(ranks, ["condition", "fill"])
    assert table[["condition", "fill", "top1", "top2", "top5", "n"]].to_numpy().tolist() == [
        ["full", "", 25.0, 50.0, 75.0, 4],
        ["foreground", "blur", 50.0, 50.0, 100.0, 2],
    ]


def test_intervals_of_accuracies_against_wilsons_formula():
    table = accuracy_table(pd.DataFrame({"condition": "full", "rank": [0] * 13 + [3] * 7}), ["condition"])
    share, n, z = 13 / 20, 20, 1.959964
    middle, half = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    wanted = [100 * (middle + sign * half) / (1 + z**2 / n) for sign in (-1, 1)]
    assert table[["top1_low", "top1_high"]].to_numpy()[0].tolist() == pytest.approx(wanted, abs=1e-3)


def test_no_box_at_all_is_refused(shared_vit, scenes):
    table = scenes.table.assign(boxes=[[] for _ in range(len(scenes))])
    bare = ImageSet(table, scenes.classes, scenes.pixels, scenes.masks)
    with pytest.raises(InputError, match="no image has a box"):
        background_ranks(shared_vit, make_head(shared_vit, scenes.classes), Loader(bare).with_boxes())
