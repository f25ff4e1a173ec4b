"""Augmentations follow their laws, and those of one feature are drawn for itself alone."""

import numpy as np
import pytest
import torch

from vitexplore.visualize.augment import (
    AUGMENTATIONS,
    colour_shift,
    gaussian_offset,
    gaussian_smoothing,
    inverse_colour_shift,
    jitter,
    shared_jitter,
)


def generators(count: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + number) for number in range(count)]


def pictures(f: int, k: int, side: int, seed: int = 9) -> torch.Tensor:
    """k copies of each of f random images."""
    images = torch.rand(f, 1, 3, side, side, generator=torch.Generator().manual_seed(seed))
    return images.expand(-1, k, -1, -1, -1)


def shifts_of(images: torch.Tensor, moved: torch.Tensor, most: int) -> list[list[tuple[int, int]]]:
    """How far each copy [f, k] was rolled, down and right, found by its first pixel. KeyError for a shift of more than
    ``most``."""
    reach = range(-most, most + 1)
    found = []
    for image, copies in zip(images[:, 0], moved, strict=True):
        by_corner = {float(image[0, -down, -right]): (down, right) for down in reach for right in reach}
        found.append([by_corner[float(copy[0, 0, 0])] for copy in copies])
        for copy, shift in zip(copies, found[-1], strict=True):
            assert torch.equal(copy, image.roll(shift, (1, 2)))
    return found


@pytest.mark.parametrize("side, most", [(24, 2), (48, 4), (64, 5)])
def test_jitter_is_a_circular_shift_of_up_to_a_twelfth_of_the_side(side, most):
    images = pictures(3, 200, side)
    seen = {shift for copies in shifts_of(images, jitter(images, generators(3), 0), most) for shift in copies}
    assert {down for down, _ in seen} == {right for _, right in seen} == set(range(-most, most + 1))
    assert any(down != right for down, right in seen)


def test_shared_jitter_shifts_all_copies_of_a_feature_alike_and_each_feature_by_its_own():
    images = pictures(150, 3, 24)
    found = shifts_of(images, shared_jitter(images, generators(150), 0), 2)
    assert all(len(set(copies)) == 1 for copies in found)
    assert {copies[0] for copies in found} == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}


def test_jitter_of_a_paper_sized_image_reaches_32_pixels_and_no_more():
    image = torch.zeros(1, 400, 1, 384, 384, dtype=torch.uint8)
    image[..., 0, 0] = 1
    rows = jitter(image, generators(1), 0)[0, :, 0].amax(2).argmax(1)
    assert {(int(row) + 192) % 384 - 192 for row in rows} == set(range(-32, 33))


@pytest.mark.parametrize("augmentation", [jitter, shared_jitter])
def test_the_gradient_of_jitter_is_the_gradient_of_a_roll(augmentation):
    images, weights = pictures(3, 4, 24).clone(), pictures(3, 4, 24, seed=1)
    mine, plain = images.clone().requires_grad_(), images.clone().requires_grad_()
    moved = augmentation(mine, generators(3), 0)
    (moved * weights).sum().backward()
    shifts = shifts_of(images, moved.detach(), 2)
    rolled = [torch.stack([plain[f, k].roll(shifts[f][k], (1, 2)) for k in range(4)]) for f in range(3)]
    (torch.stack(rolled) * weights).sum().backward()
    assert torch.equal(mine.grad, plain.grad)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=AUGMENTATIONS)
def test_the_gradient_of_an_augmentation_equals_finite_differences(augmentation):
    images = torch.rand(2, 2, 1, 6, 12, dtype=torch.float64, generator=generators(1)[0], requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: augmentation(x, generators(2), 0.5), images)


def affine(images: torch.Tensor, found: torch.Tensor) -> np.ndarray:
    """Slope and offset of every copy and channel [n, 2]; fails where it is no line."""
    drawn = []
    x, y = (values.flatten(3).flatten(0, 2).double().numpy() for values in (images, found))
    for before, after in zip(x, y, strict=True):
        slope, offset = np.polyfit(before, after, 1)
        assert np.allclose(after, slope * before + offset, atol=1e-5)
        drawn.append((slope, offset))
    return np.array(drawn)


@pytest.mark.parametrize("augmentation", [colour_shift, inverse_colour_shift])
def test_colour_shifts_are_affine_in_each_copy_and_channel_within_their_bounds(augmentation):
    images = pictures(3, 300, 4)
    slope, offset = affine(images, augmentation(images, generators(3), 0)).T
    if augmentation is inverse_colour_shift:  # (x - mu) / sigma
        slope, offset = 1 / slope, -offset / slope
    drawn = np.stack([np.log(slope), offset], axis=1)
    assert len(np.unique(drawn.round(9), axis=0)) == 2700  # its own for each copy and channel
    assert np.abs(drawn).max() <= 1 + 1e-4
    assert np.allclose(drawn.mean(0), 0, atol=0.06)
    assert np.allclose(drawn.std(0), 1 / np.sqrt(3), atol=0.03)  # of U(-1, 1)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.1


def test_the_released_colour_shift_undoes_the_papers():
    images = pictures(3, 4, 8)
    there = colour_shift(images, generators(3), 0)
    assert torch.allclose(inverse_colour_shift(there, generators(3), 0), images, atol=1e-5)


def assert_normal(noise: torch.Tensor, std: float) -> None:
    n = noise.numel()
    assert abs(noise.mean()) < 4 * std / n**0.5
    assert abs(noise.std() - std) < 4 * std / (2 * n) ** 0.5
    assert abs((noise.abs() < std).double().mean() - 0.6827) < 4 * (0.6827 * 0.3173 / n) ** 0.5


def test_gaussian_smoothing_adds_standard_normal_noise_to_every_pixel():
    images = pictures(2, 4, 32)
    noise = (gaussian_smoothing(images, generators(2), 0) - images).double()
    assert_normal(noise, 1)
    for axis in range(5):  # no two copies, channels or neighbours share their noise
        a, b = noise.narrow(axis, 1, noise.shape[axis] - 1), noise.narrow(axis, 0, noise.shape[axis] - 1)
        assert abs(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]) < 0.05


@pytest.mark.parametrize("progress", [0, 0.25, 0.9])
def test_gaussian_offset_adds_one_value_to_each_copy_and_channel_that_shrinks_to_nothing(progress):
    images = torch.zeros(4, 500, 3, 2, 2)
    noise = gaussian_offset(images, generators(4), progress)
    assert torch.equal(noise, noise[..., :1, :1].expand_as(noise))
    assert noise.unique().numel() == 4 * 500 * 3
    assert_normal(noise[..., 0, 0].double(), 0.5 * (1 - progress))


def test_gaussian_offset_is_nothing_at_the_end():
    images = pictures(2, 3, 4)
    assert torch.equal(gaussian_offset(images, generators(2), 1), images)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=AUGMENTATIONS)
def test_an_augmentation_of_one_feature_does_not_depend_on_the_others(augmentation):
    images = pictures(3, 4, 24)
    together = augmentation(images, generators(3), 0.3)
    assert not torch.equal(together, images)
    for f in range(3):
        assert torch.equal(augmentation(images[f : f + 1], generators(1, seed=f), 0.3)[0], together[f])
