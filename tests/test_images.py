"""Image sets: cutting by boxes, preprocessing, order."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image
from torchvision import transforms

from vitexplore.data.images import ImageSet, spread
from vitexplore.data.loading import Loader, Pictures, batches, preprocess
from vitexplore.data.masks import CONDITIONS, FILLS, cut
from vitexplore.errors import InputError
from vitexplore.models.spec import ModelSpec

SPEC = ModelSpec(
    name="m",
    source="timm",
    architecture="vit_tiny_patch16_224",
    family="vit",
    input_size=32,
    mean=(0.5, 0.4, 0.3),
    std=(0.2, 0.3, 0.4),
    interpolation="bicubic",
    crop=0.9,
)
SIZES = [(48, 48), (70, 45), (45, 70), (101, 40), (20, 33), (35, 35), (32, 50)]  # width, height


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX)


def image_set(count: int = 5) -> ImageSet:
    pixels = np.random.default_rng(0).integers(1, 256, (count, 40, 40, 3), dtype=np.uint8)
    boxes = [[[4.0, 6.0, 20.0, 30.0]]] * (count - 1) + [[]]
    table = pd.DataFrame({"label": range(count), "name": "x", "path": "", "boxes": boxes, "width": 40, "height": 40})
    return ImageSet(table, ("a", "b"), pixels, np.zeros((count, 40, 40), dtype=bool))


# --- cut


def test_foreground_and_background_divide_the_pixels_between_them():
    image = noise(31, 17)
    mask = np.random.default_rng(1).random((17, 31)) < 0.4
    whole, front, back = (np.asarray(cut(image, mask, condition)) for condition in CONDITIONS)
    assert np.array_equal(whole, np.asarray(image))
    assert np.array_equal(front[mask], whole[mask]) and not front[~mask].any()
    assert np.array_equal(back[~mask], whole[~mask]) and not back[mask].any()
    assert np.array_equal(front + back, whole)
    assert front.dtype == back.dtype == np.uint8


@pytest.mark.parametrize("condition", ["foreground", "background"])
@pytest.mark.parametrize("fill", FILLS)
def test_no_fill_touches_what_stays_or_shows_what_is_cut_out(condition, fill):
    image, mask = noise(40, 30), np.zeros((30, 40), dtype=bool)
    mask[8:20, 10:30] = True
    keep = mask if condition == "foreground" else ~mask
    found = np.asarray(cut(image, mask, condition, fill))
    assert np.array_equal(found[keep], np.asarray(image)[keep])
    other = np.asarray(image).copy()
    other[~keep] = 255 - other[~keep]
    assert np.array_equal(np.asarray(cut(Image.fromarray(other), mask, condition, fill)), found)


def test_the_mean_fill_is_the_mean_colour_of_what_stays():
    image, mask = noise(12, 9), np.zeros((9, 12), dtype=bool)
    mask[2:5, 3:9] = True
    found = np.asarray(cut(image, mask, "foreground", "mean"))
    for channel in range(3):
        total = sum(int(np.asarray(image)[y, x, channel]) for y in range(2, 5) for x in range(3, 9))
        assert (found[..., channel][~mask] == round(total / 18)).all()


def test_the_blur_fill_goes_over_into_what_is_beside_it():
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[:, :32], pixels[:, 32:] = (200, 0, 0), (0, 0, 200)
    mask = np.zeros((64, 64), dtype=bool)
    mask[24:40, 8:56] = True
    found = np.asarray(cut(Image.fromarray(pixels), mask, "background", "blur")).astype(int)
    assert abs(found[25, 10] - (200, 0, 0)).max() < 20 and abs(found[25, 53] - (0, 0, 200)).max() < 20
    assert abs(found[32, 31:33].mean(0) - (100, 0, 100)).max() < 20


def test_an_unknown_fill_is_refused():
    with pytest.raises(InputError, match="'white' is none of black, mean, blur"):
        cut(noise(4, 4), np.ones((4, 4), dtype=bool), "background", "white")


# --- preprocessing


def slow_own(image: Image.Image) -> torch.Tensor:
    """What timm's own evaluation transform does with such a config."""
    data = {"input_size": (3, 32, 32), "interpolation": "bicubic", "crop_pct": 0.9}
    return timm.data.create_transform(**data, mean=SPEC.mean, std=SPEC.std)(image)


def slow_paper(image: Image.Image) -> torch.Tensor:
    """Shorter side to 32, bilinear; the middle 32 x 32."""
    width, height = image.size
    scale = 32 / min(width, height)
    size = (32, int(height * scale)) if width <= height else (int(width * scale), 32)
    pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR), dtype=np.float64) / 255
    left, top = round((size[0] - 32) / 2), round((size[1] - 32) / 2)
    pixels = pixels[top : top + 32, left : left + 32]
    return torch.from_numpy(((pixels - SPEC.mean) / SPEC.std).transpose(2, 0, 1)).float()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("preprocessing", "slow"), [("own", slow_own), ("paper", slow_paper)])
def test_preprocessing_equals_a_slow_one_on_images_of_any_shape(size, preprocessing, slow):
    image = noise(*size)
    found, wanted = preprocess(SPEC, preprocessing)(image), slow(image)
    assert found.shape == (3, 32, 32) and found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_the_papers_preprocessing_is_the_released_codes_of_table_1(size):
    image, spec = noise(*size), replace(SPEC, mean=(0.5,) * 3, std=(0.5,) * 3)
    crop = [transforms.Resize(32), transforms.CenterCrop(32)]
    wanted = transforms.Compose([*crop, transforms.ToTensor(), transforms.Normalize(spec.mean, spec.std)])(image)
    assert torch.equal(preprocess(spec, "paper")(image), wanted)


def test_the_two_preprocessings_show_different_parts():
    """``own`` crops away a rim that ``paper`` keeps."""
    rim = Image.new("RGB", (350, 350), "white")
    rim.paste(Image.new("RGB", (320, 320)), (15, 15))
    own, paper = (preprocess(SPEC, preprocessing)(rim) for preprocessing in ("own", "paper"))
    assert own[:, 0].mean() < paper[:, 0].mean() - 0.5


@pytest.mark.parametrize("resized", [232, 236, 246, 256, 384])
def test_a_crop_stated_as_a_share_gives_back_the_resize_that_it_came_from(resized):
    image = noise(resized, resized)
    spec = replace(SPEC, input_size=224, crop=224 / resized)
    margin = round((resized - 224) / 2)
    wanted = np.asarray(image)[margin : margin + 224, margin : margin + 224].transpose(2, 0, 1) / 255
    found = preprocess(spec)(image) * torch.tensor(SPEC.std)[:, None, None] + torch.tensor(SPEC.mean)[:, None, None]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_lab_scenes_are_not_resampled():
    image = noise(64, 64)
    spec = replace(SPEC, input_size=64, crop=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)
    for preprocessing in ("own", "paper"):
        assert np.array_equal(
            (preprocess(spec, preprocessing)(image) * 255).round().numpy(), np.asarray(image).transpose(2, 0, 1)
        )


def test_an_unknown_preprocessing_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="'common' is none of own, paper"):
        preprocess(SPEC, "common")


# --- boxes


def test_a_box_mask_is_the_union_of_the_boxes():
    boxes = [[2.0, 1.0, 5.0, 4.0], [4.0, 3.0, 8.0, 6.0]]
    table = pd.DataFrame({"label": [0], "path": [""], "boxes": [boxes], "width": [9], "height": [7]})
    wanted = np.zeros((7, 9), dtype=bool)
    for row in range(7):
        for column in range(9):
            wanted[row, column] = any(
                left <= column < right and top <= row < bottom for left, top, right, bottom in boxes
            )
    assert np.array_equal(ImageSet(table, ("a",)).box_mask(0), wanted)


@pytest.mark.parametrize("box", [[-3.0, -2.0, 4.0, 5.0], [6.0, 4.0, 30.0, 20.0]])
def test_a_box_that_leaves_the_image_is_clipped_to_it(box):
    table = pd.DataFrame({"label": [0], "path": [""], "boxes": [[box]], "width": [9], "height": [7]})
    left, top, right, bottom = box
    rows, columns = np.mgrid[:7, :9]
    wanted = (columns >= left) & (columns < right) & (rows >= top) & (rows < bottom)
    assert np.array_equal(ImageSet(table, ("a",)).box_mask(0), wanted)


def test_has_boxes_says_which_images_have_some():
    assert image_set(3).has_boxes.tolist() == [True, True, False]


# --- sets


def test_a_set_read_back_is_the_set_that_was_written(tmp_path):
    images = image_set()
    images.table.to_parquet(tmp_path / "images.parquet")
    (tmp_path / "classes.txt").write_text("a\nb c\n")
    np.savez(tmp_path / "pixels.npz", pixels=images.pixels, masks=images.masks)
    again = ImageSet.read(tmp_path)
    assert again.classes == ("a", "b c")
    assert len(again) == 5
    assert again.labels.tolist() == [0, 1, 2, 3, 4] and again.labels.dtype == np.int64
    assert np.array_equal(np.asarray(again.image(3)), images.pixels[3])
    assert np.array_equal(again.box_mask(3), images.box_mask(3))
    assert again.has_boxes.tolist() == images.has_boxes.tolist()


def test_a_photo_is_read_as_rgb_and_a_lost_one_is_named(tmp_path):
    path = tmp_path / "grey.png"
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(path)
    table = pd.DataFrame({"label": [0, 0], "path": [str(path), str(tmp_path / "lost.png")]})
    images = ImageSet(table, ("a",))
    assert images.image(0).mode == "RGB" and images.image(0).size == (4, 3)
    with pytest.raises(InputError, match=r"lost.png cannot be read any more"):
        images.image(1)


def test_batches_come_in_the_order_of_the_indices_and_hold_them_all():
    images = image_set(7)
    transform = preprocess(replace(SPEC, input_size=40, crop=1.0))
    indices = np.array([6, 0, 3, 3, 1])
    found = list(batches(Pictures(images, transform), indices, 2))
    assert [len(pictures) for _, pictures in found] == [2, 2, 1]
    assert np.concatenate([chunk for chunk, _ in found]).tolist() == indices.tolist()
    wanted = torch.stack([transform(images.image(index)) for index in indices])
    assert torch.equal(torch.cat([pictures for _, pictures in found]), wanted)


def test_batches_are_made_one_at_a_time():
    """A set larger than memory can be gone through."""
    seen = []

    def transform(image: Image.Image) -> torch.Tensor:
        seen.append(image)
        return torch.zeros(3, 2, 2)

    stream = batches(Pictures(image_set(6), transform), np.arange(6), 2)
    assert isinstance(stream, Iterator)
    next(stream)
    assert len(seen) == 2


def test_workers_load_the_same_batches_in_the_same_order():
    images, indices = image_set(7), np.array([6, 0, 3, 3, 1])
    load = Pictures(images, preprocess(replace(SPEC, input_size=40, crop=1.0)))
    torch.manual_seed(0)
    one = list(batches(load, indices, 2))
    state = torch.get_rng_state()
    two = list(batches(load, indices, 2, workers=2))
    assert torch.equal(torch.get_rng_state(), state)  # nobody else's random numbers are used up
    for (index, pictures), (other, same) in zip(one, two, strict=True):
        assert np.array_equal(index, other) and torch.equal(pictures, same)


def test_spread_is_fixed_shuffled_and_takes_from_everywhere():
    assert sorted(spread(5, 9).tolist()) == [0, 1, 2, 3, 4]
    assert sorted(spread(5, 5).tolist()) == [0, 1, 2, 3, 4]
    some = spread(10_000, 1000)
    assert len(set(some.tolist())) == 1000
    assert abs(np.corrcoef(np.arange(1000), some)[0, 1]) < 0.1  # no batch is of one class
    assert np.array_equal(some, spread(10_000, 1000))
    by_tenth = np.bincount(some // 1000, minlength=10)
    assert by_tenth.min() > 60


# --- the loader


def test_a_loader_shows_all_images_in_order_unless_told_otherwise():
    loader = Loader(image_set(5))
    assert loader.indices.tolist() == [0, 1, 2, 3, 4] and len(loader) == 5
    some = loader.of(np.array([3, 0]))
    assert len(some) == 2 and some.images is loader.images and len(loader) == 5


def test_a_sample_is_the_spread_of_what_the_loader_has():
    loader = Loader(image_set(9)).of(np.array([8, 6, 4, 2]))
    assert loader.sample(3).indices.tolist() == loader.indices[spread(4, 3)].tolist()
    for most in (4, 100, None):
        assert loader.sample(most).indices.tolist() == loader.indices[spread(4, 4)].tolist()


def test_with_boxes_keeps_the_order_and_leaves_out_images_without():
    assert Loader(image_set(5)).of(np.array([4, 2, 0, 3])).with_boxes().indices.tolist() == [2, 0, 3]


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_an_images_partner_is_the_next_in_the_order_whatever_the_batch(batch):
    partner = Loader(image_set(7), batch=batch, indices=np.array([6, 0, 3, 1])).partners()
    assert [partner[image] for image in (6, 0, 3, 1)] == [0, 3, 1, 6]
    assert [partner[image] for image in (2, 4, 5)] == [-1, -1, -1]  # not shown
    assert Loader(image_set(2)).partners().tolist() == [1, 0]


def test_a_lone_image_has_no_partner():
    with pytest.raises(InputError, match="one image has no other to be compared with; show at least two"):
        Loader(image_set(5)).of(np.array([3])).partners()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loaders_batches_are_its_images_preprocessed_in_its_order(workers):
    images, indices = image_set(7), np.array([6, 0, 3, 1])
    found = list(Loader(images, "paper", 3, workers, indices).batches(SPEC))
    assert [len(pictures) for _, pictures in found] == [3, 1]
    assert np.concatenate([index for index, _ in found]).tolist() == indices.tolist()
    wanted = torch.stack([preprocess(SPEC, "paper")(images.image(index)) for index in indices])
    assert torch.equal(torch.cat([pictures for _, pictures in found]), wanted)
