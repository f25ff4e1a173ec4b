"""A map that finds the object scores 1, its opposite 0, and another image's object is the control."""

import numpy as np
import pytest
import torch
from live_bytes import FFN, IMAGES, peak_bytes, vit_of_depth
from scipy.stats import mannwhitneyu
from torch.nn.functional import adaptive_avg_pool2d

from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader, preprocess
from vitexplore.io import read_tables, write_tables
from vitexplore.measures import localization as module
from vitexplore.measures.localization import localization, map_auroc
from vitexplore.measures.trivial_maps import TRIVIAL
from vitexplore.models.registry import Model, load
from vitexplore.models.sites import Activations, Site, read_many
from vitexplore.models.spec import ModelSpec

PATCH = 8  # of the lab's ViT


@pytest.fixture(scope="module")
def maps_with_ties() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Maps, and two masks of each image."""
    generator = torch.Generator().manual_seed(0)
    acts = torch.randint(-3, 4, (5, 24, 6), generator=generator).float()
    acts[..., 3:] = torch.randn(5, 24, 3, generator=generator)
    share = torch.tensor([0.2, 0.3, 0.5, 0.7, 0.8])[:, None]
    first, second = (torch.rand(5, 24, generator=generator) < share for _ in range(2))
    return acts, first, second


def test_auroc_counts_pairs_and_half_of_the_ties(maps_with_ties):
    acts, *masks = maps_with_ties
    found = map_auroc(acts, *masks)
    assert found.shape == (2, 5, 6) and found.dtype == torch.float32
    for mine, inside in zip(found, masks, strict=True):
        for b in range(5):
            for c in range(6):
                own, other = acts[b, inside[b], c].tolist(), acts[b, ~inside[b], c].tolist()
                wins = sum((x > y) + 0.5 * (x == y) for x in own for y in other)
                assert mine[b, c] == pytest.approx(wins / len(own) / len(other), abs=1e-6)


def test_auroc_equals_mann_whitney(maps_with_ties):
    acts, inside, _ = maps_with_ties
    for b, found in enumerate(map_auroc(acts, inside)[0]):
        u = mannwhitneyu(acts[b, inside[b]], acts[b, ~inside[b]]).statistic
        assert np.allclose(found, u / (inside[b].sum() * (~inside[b]).sum()))


@pytest.mark.parametrize("positions", [9, 9216])
def test_a_mask_with_one_kind_of_position_has_no_auroc(positions):
    """On 96 by 96 positions too, whose ranks add up to more than float32 can count."""
    masks = torch.tensor([[False], [True]]).expand(2, positions)
    assert map_auroc(torch.randn(2, positions, 4), masks).isnan().all()


def cover_of(scenes, index: int) -> np.ndarray:
    """bool [8, 8]: patches of which the object covers half or more, pixel by pixel."""
    grid = scenes.masks.shape[1] // PATCH
    blocks = scenes.masks[index].reshape(grid, PATCH, grid, PATCH)
    return blocks.sum((1, 3)) >= PATCH * PATCH / 2


def plant(monkeypatch, maps) -> None:
    """Replace activations by what ``maps`` makes of the pictures: Activations of a lone site."""
    site = Site("ffn", 0)

    def shapes(_model, _wanted):
        found = maps(torch.zeros(1, 3, 64, 64))
        return {site: (found.bpc.shape[2], found.grid)}

    def read(_model, _wanted, pictures, keep):
        keep(site, maps(pictures))

    monkeypatch.setattr(module, "shapes", shapes)
    monkeypatch.setattr(module, "read_many", read)


def test_a_planted_map_scores_1_its_negative_0_and_its_control_less(vit, scenes, monkeypatch):
    """Maps that are the object's cover, and the opposite."""
    cover = torch.stack([torch.from_numpy(cover_of(scenes, i)).flatten() for i in range(len(scenes))])
    both = torch.stack([cover, ~cover], dim=2).float()
    plant(monkeypatch, lambda pictures: Activations(both[: len(pictures)], (8, 8)))
    table = localization(vit, Loader(scenes))["localization"]
    assert table["feature"].tolist() == [0, 1]
    usable = np.array([0 < mine.sum() < 64 for mine in cover])
    assert usable.any()
    own, opposite = np.stack(table["auroc"])
    assert (own[usable] == 1).all() and (opposite[usable] == 0).all()
    assert np.isnan(own[~usable]).all() and np.isnan(opposite[~usable]).all()
    control = table["control"][0]
    assert np.array_equal(np.isnan(control), ~np.roll(usable, -1))
    assert np.nanmean(control) < 0.9


def test_own_and_control_are_of_the_right_masks(vit, scenes):
    """The control of an image is its map against the next image's mask (the first's, for the last)."""
    indices = np.array([1, 14, 6, 10, 4, 13])
    tables = localization(vit, Loader(scenes, batch=4, indices=indices), features=4)
    assert tables["localization_images"]["image"].tolist() == indices.tolist()
    pictures = torch.stack([preprocess(vit.spec)(scenes.image(i)) for i in indices])
    with torch.no_grad():
        maps = read_many(vit, [Site("ffn", b) for b in (0, 7)], pictures)
    covers = [torch.from_numpy(cover_of(scenes, i)).reshape(1, -1) for i in indices]
    for block in (0, 7):
        mine = tables["localization"].query("block == @block")
        assert len(mine) == 4
        for row in mine.itertuples():
            acts = maps[Site("ffn", block)].bpc[..., [row.feature]]
            for number in range(6):
                own, control = (map_auroc(acts[[number]], covers[n]).item() for n in (number, (number + 1) % 6))
                # a near tie may turn with the batch size
                assert row.auroc[number] == pytest.approx(own, abs=1e-3, nan_ok=True)
                assert row.control[number] == pytest.approx(control, abs=1e-3, nan_ok=True)


@pytest.mark.parametrize("batch", [7, 30])
def test_the_batch_moves_nothing(shared_vit, many, monkeypatch, batch):
    """Maps that are an image's pixels alone: no rounding depends on the batch, and all is equal to the last bit."""

    def pooled(pictures):
        return Activations(adaptive_avg_pool2d(pictures, (8, 8)).flatten(2).mT, (8, 8))

    plant(monkeypatch, pooled)
    order = np.random.default_rng(1).permutation(40)[:37]
    found, whole = (localization(shared_vit, Loader(many, batch=each, indices=order)) for each in (batch, 100))
    for name in ("localization", "trivial_maps"):
        for column in ("auroc", "control"):
            mine, theirs = np.stack(found[name][column]), np.stack(whole[name][column])
            assert np.array_equal(mine, theirs, equal_nan=True) and np.isfinite(mine).any()


def test_trivial_maps_have_rows_at_each_block_whose_grid_is_new(scenes):
    """The lab's CNN halves its grid from stage to stage."""
    cnn = load(ModelSpec("c", "lab", "lab_cnn", "cnn", weights="random"))
    tables = localization(cnn, Loader(scenes, batch=5), features=4)
    wanted = [Site("channel", block) for block in range(8)]
    with torch.no_grad():
        found = read_many(cnn, wanted, torch.zeros(1, 3, 64, 64))
    grids = [found[site].grid for site in wanted]
    new = [block for block in range(8) if block == 0 or grids[block] != grids[block - 1]]
    assert len(new) > 1
    trivial = tables["trivial_maps"]
    assert trivial[["block", "map"]].to_numpy().tolist() == [[block, name] for block in new for name in TRIVIAL]
    assert all(len(each) == len(scenes) for name in ("auroc", "control") for each in trivial[name])
    assert tables["localization"].groupby("block").size().to_dict() == dict.fromkeys(range(8), 4)


def test_trivial_maps_meet_the_masks_of_the_maps(shared_vit, scenes):
    """White objects on black: brightness is their cover."""
    pixels = np.repeat(scenes.masks[..., None], 3, axis=3).astype(np.uint8) * 255
    images = ImageSet(scenes.table, scenes.classes, pixels, scenes.masks)
    trivial = localization(shared_vit, Loader(images), features=4)["trivial_maps"].set_index("map")
    assert np.nanmin(trivial.loc["brightness", "auroc"]) == 1
    assert np.nanmean(trivial.loc["brightness", "control"]) < 0.9


def test_tables_keep_their_arrays_in_files(shared_vit, scenes, tmp_path):
    tables = localization(shared_vit, Loader(scenes), features=4)
    for name, table in tables.items():
        parts = [(table, {"model": "a"}), (table, {"model": "b"})]
        write_tables(tmp_path / f"{name}.parquet", parts)
        found = read_tables([tmp_path / f"{name}.parquet"])
        assert found["model"].tolist() == ["a"] * len(table) + ["b"] * len(table)
        for column in {"auroc", "control"} & set(table):
            for read, made in zip(found[column], [*table[column], *table[column]], strict=True):
                assert isinstance(read, np.ndarray) and read.dtype == np.float32
                assert np.array_equal(read, made, equal_nan=True)


def test_memory_does_not_grow_with_the_blocks(scenes):
    """All of four blocks more would be four times FFN and more."""

    def use(model: Model) -> None:
        localization(model, Loader(scenes, batch=IMAGES), features=16)

    two, six = (peak_bytes(vit_of_depth(depth), use) for depth in (2, 6))
    assert two > 2 * FFN  # before and after the nonlinearity
    assert six - two < FFN / 2
