"""The four measures of locality against cases with known answers and slow, obvious routines."""

import numpy as np
import pandas as pd
import pytest
import torch
from live_bytes import FFN, IMAGES, peak_bytes, vit_of_depth

from vitexplore.data.loading import Loader
from vitexplore.measures.locality import (
    RIDGE,
    Decoder,
    Exchanged,
    Variance,
    _positions_inside,
    locality,
    mean_cosine,
    share_that_stays,
    uniformity,
)
from vitexplore.models.registry import load
from vitexplore.models.spec import ModelSpec


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def uniform(acts: torch.Tensor) -> torch.Tensor:
    """Of maps that are the whole data."""
    variance = Variance()
    for start in range(0, len(acts), 5):
        variance.add(acts[start : start + 5])
    return uniformity(acts, variance.value())


def position_r2(acts: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Each half scored by the decoder that was fitted on the other."""
    half = len(acts) // 2
    scores = {}
    for fit, score in ((slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))):
        decoder = Decoder(grid)
        for start in range(0, len(acts[fit]), 2):
            decoder.add(acts[fit][start : start + 2])
        scores[score.start] = decoder.fit().r2(acts[score])
    return torch.cat([scores[0], scores[half]])


def test_variance_in_batches_is_that_of_all_at_once_however_large_the_mean():
    acts = noise(11, 6, 3).double() + 1e6
    variance = Variance()
    for start in range(0, 11, 4):
        variance.add(acts[start : start + 4])
    assert torch.allclose(variance.value(), acts.flatten(0, 1).var(0, correction=0), rtol=1e-6)


def test_flat_maps_are_wholly_uniform():
    assert torch.allclose(uniform(noise(12, 1, 5).expand(-1, 30, -1)), torch.ones(12).double(), atol=1e-6)


def test_independent_positions_are_not_uniform():
    assert uniform(noise(60, 400, 5)).mean().abs() < 0.01


def test_uniformity_is_one_minus_the_variance_within_over_the_variance_of_all():
    acts = noise(4, 6, 3)
    acts[:, :, 2] = 7.0  # never varies: left out
    a = acts.double().numpy()
    slow = [1 - np.mean([a[b, :, c].var() / a[:, :, c].var() for c in (0, 1)]) for b in range(4)]
    assert np.allclose(uniform(acts), slow, atol=1e-5)


def test_features_that_never_vary_are_uniform():
    assert uniform(torch.ones(3, 4, 5)).tolist() == [1, 1, 1]


def test_mean_cosine_against_every_pair():
    acts = noise(3, 7, 5) + 0.5
    for found, image in zip(mean_cosine(acts), acts.double().numpy(), strict=True):
        pairs = [
            image[p] @ image[q] / np.linalg.norm(image[p]) / np.linalg.norm(image[q])
            for p in range(7)
            for q in range(7)
            if p != q
        ]
        assert np.isclose(found, np.mean(pairs), atol=1e-6)


def test_share_that_stays_is_the_share_of_squared_change_inside():
    before = torch.zeros(3, 4, 2)
    inside = torch.tensor([[True, False, False, False]] * 3)
    after = before.clone()
    after[0, 0, 1] = 5.0  # all of it inside
    after[1, 3, 0] = 5.0  # none
    after[2, 0], after[2, 2] = torch.tensor([1.0, 1.0]), torch.tensor([2.0, -1.0])  # 2 of 7
    assert torch.allclose(share_that_stays(before, after, inside), torch.tensor([1.0, 0.0, 2 / 7]))


def test_share_that_stays_of_no_change_is_not_a_number():
    acts = noise(1, 4, 2)
    assert share_that_stays(acts, acts, torch.ones(1, 4, dtype=torch.bool)).isnan().all()


def coded_positions(grid: tuple[int, int]) -> torch.Tensor:
    rows, columns = torch.meshgrid(*(torch.arange(side).double() for side in grid), indexing="ij")
    return torch.stack([rows.flatten(), columns.flatten()], 1)


def test_position_is_read_where_it_is_coded_linearly():
    code = coded_positions((5, 7)) @ noise(2, 6).double()
    acts = code + 0.01 * noise(20, 35, 6, seed=1)
    assert (position_r2(acts, (5, 7)) > 0.97).all()


def test_position_is_not_read_from_noise_though_there_are_more_features_than_positions():
    """In-sample, 40 features fit 2 images of 9 positions perfectly."""
    assert position_r2(noise(4, 9, 40).double(), (3, 3)).mean() < 0


def test_position_is_not_read_from_features_that_never_vary():
    assert position_r2(torch.ones(4, 9, 3).double(), (3, 3)).abs().max() < 1e-6


def test_position_r2_against_ridge_as_extended_least_squares():
    """(A half's weights come from the other half, with sqrt(penalty) rows that ask for zero weights.)"""
    grid, acts = (2, 3), noise(6, 6, 4).double()
    acts[..., :2] += coded_positions(grid)
    target = coded_positions(grid).numpy()
    target = 2 * target / target.max(0) - 1
    a, found = acts.numpy(), position_r2(acts, grid)
    for fit, score in ((a[:3], range(3, 6)), (a[3:], range(3))):
        mean = fit.mean((0, 1))
        x = (fit - mean).reshape(-1, 4)
        penalty = np.sqrt(RIDGE * (x**2).sum(0).mean()) * np.eye(4)
        weights = np.linalg.lstsq(np.vstack([x, penalty]), np.vstack([target] * 3 + [np.zeros((4, 2))]))[0]
        for image in score:
            error = ((a[image] - mean) @ weights - target) ** 2
            assert np.isclose(found[image], 1 - error.sum() / (target**2).sum(), atol=1e-5)


@pytest.mark.parametrize("size, grid, patch", [(64, (8, 8), 8), (64, (8, 8), 16), (64, (3, 5), 8), (96, (7, 6), 32)])
def test_positions_inside_are_those_whose_pixels_overlap_the_patch(size, grid, patch):
    cells = np.array([[r, c] for r in range(size // patch) for c in range(size // patch)])
    for found, (row, column) in zip(_positions_inside(cells, patch, size, grid), cells, strict=True):
        slow = [
            # areas in units of 1 / side pixels, so that all is in whole numbers
            y * size < (row + 1) * patch * grid[0]
            and (y + 1) * size > row * patch * grid[0]
            and x * size < (column + 1) * patch * grid[1]
            and (x + 1) * size > column * patch * grid[1]
            for y in range(grid[0])
            for x in range(grid[1])
        ]
        assert found.tolist() == slow


def test_only_one_patch_is_exchanged_and_it_is_the_partners():
    pictures, cells = noise(3, 3, 16, 16), np.array([[0, 1], [1, 0], [1, 1]])
    exchanged = Exchanged(pictures.__getitem__, np.array([2, 0, 1]), cells, 8)
    for number, (row, column) in enumerate(cells):
        expected = pictures[number].clone()
        area = (slice(None), slice(8 * row, 8 * row + 8), slice(8 * column, 8 * column + 8))
        expected[area] = pictures[(2, 0, 1)[number]][area]
        plain, changed = exchanged(number)
        assert torch.equal(plain, pictures[number]) and torch.equal(changed, expected)


def stays(model, images, patch: int, count: int = 6, batch: int = 6) -> np.ndarray:
    """[block, image]."""
    table = locality(model, Loader(images, batch=batch, indices=np.arange(count)), patch)
    return table[table["measure"] == "stays"].pivot(index="block", columns="image", values="value").to_numpy()


@pytest.mark.parametrize("patch", [8, 16])
def test_without_attention_a_change_stays_in_its_patch(vit, scenes, patch):
    for block in vit.trunk.blocks:
        block.attn.proj.weight.zero_()
    assert (stays(vit, scenes, patch) == 1).all()


def test_with_attention_a_change_leaks_further_with_every_block(vit, scenes):
    mean = stays(vit, scenes, 8).mean(1)
    assert mean[0] < 1
    assert (np.diff(mean) < 0).all()


def test_no_image_is_left_without_another_to_exchange_a_patch_with(vit, scenes):
    assert np.isfinite(stays(vit, scenes, 8, count=9, batch=4)).all()


def test_every_block_measure_and_image_has_one_row(scenes):
    cnn = load(ModelSpec("c", "lab", "lab_cnn", "cnn", weights="random"))
    for module in cnn.module.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.fill_(1)  # timm starts with residual branches that add nothing, and a change can get lost
    table = locality(cnn, Loader(scenes, batch=2, indices=np.array([3, 5, 8, 9])), patch=8)
    assert set(table["measure"]) == {"uniformity", "cosine", "stays", "position"}
    assert len(table) == 8 * 4 * 4
    assert not table.duplicated(["block", "measure", "image"]).any()
    assert set(table["image"]) == {3, 5, 8, 9}
    assert np.isfinite(table["value"]).all()


def measured(model, images, batch: int) -> pd.DataFrame:
    order = np.random.default_rng(1).permutation(len(images))[:37]
    table = locality(model, Loader(images, batch=batch, indices=order), patch=8)
    return table.pivot(index=["measure", "block"], columns="image", values="value")


@pytest.mark.parametrize("batch", [7, 30])
def test_the_batch_moves_nothing(shared_vit, many, batch):
    """Not even which patch is exchanged, and for whose."""
    found, whole = measured(shared_vit, many, batch), measured(shared_vit, many, 100)
    pd.testing.assert_frame_equal(found, whole, rtol=1e-4, atol=1e-5)
    assert whole.loc["stays"].std(axis=1).gt(1e-3).all()  # by far more than that from image to image


def test_memory_does_not_grow_with_the_blocks(scenes):
    """Both passes hold the activations of one block: all of four blocks more would be four times FFN and more."""

    def use(model):
        locality(model, Loader(scenes, batch=IMAGES), patch=8)

    two, six = (peak_bytes(vit_of_depth(depth), use) for depth in (2, 6))
    assert two > 2 * FFN  # before and after the nonlinearity
    assert six - two < FFN / 2
