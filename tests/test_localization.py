"""A map that finds the object scores 1, its opposite 0, and another image's map is the control."""

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from vitexplore.data.loading import Loader, preprocess
from vitexplore.measures import localization as module
from vitexplore.measures.localization import localization, map_auroc
from vitexplore.models.sites import Activations, Site, read_many

PATCH = 8  # of the lab's ViT


@pytest.fixture(scope="module")
def maps_with_ties() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    acts = torch.randint(-3, 4, (5, 24, 6), generator=generator).float()
    acts[..., 3:] = torch.randn(5, 24, 3, generator=generator)
    inside = torch.rand(5, 24, generator=generator) < torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9])[:, None]
    return acts, inside


def test_auroc_counts_pairs_and_half_of_the_ties(maps_with_ties):
    acts, inside = maps_with_ties
    found = map_auroc(acts, inside)
    for b in range(5):
        for c in range(6):
            own, other = acts[b, inside[b], c].tolist(), acts[b, ~inside[b], c].tolist()
            wins = sum((x > y) + 0.5 * (x == y) for x in own for y in other)
            assert found[b, c] == pytest.approx(wins / len(own) / len(other), abs=1e-6)


def test_auroc_equals_mann_whitney(maps_with_ties):
    acts, inside = maps_with_ties
    for b, found in enumerate(map_auroc(acts, inside)):
        u = mannwhitneyu(acts[b, inside[b]], acts[b, ~inside[b]]).statistic
        assert np.allclose(found, u / (inside[b].sum() * (~inside[b]).sum()))


def test_a_mask_with_one_kind_of_position_has_no_auroc():
    masks = torch.stack([torch.zeros(9, dtype=torch.bool), torch.ones(9, dtype=torch.bool)])
    assert map_auroc(torch.randn(2, 9, 4), masks).isnan().all()


def cover_of(scenes, index: int) -> np.ndarray:
    """bool [8, 8]: patches of which the object covers half or more, pixel by pixel."""
    grid = scenes.masks.shape[1] // PATCH
    blocks = scenes.masks[index].reshape(grid, PATCH, grid, PATCH)
    return blocks.sum((1, 3)) >= PATCH * PATCH / 2


def test_a_planted_map_scores_1_its_negative_0_and_its_control_less(vit, scenes, monkeypatch):
    """``read_many`` is replaced by maps that are the object's cover, and the opposite."""
    indices = np.arange(len(scenes))
    cover = torch.stack([torch.from_numpy(cover_of(scenes, i)).flatten() for i in indices]).float()
    planted = Activations(torch.stack([cover, -cover], dim=2), (8, 8))
    monkeypatch.setattr(module, "read_many", lambda _model, _wanted, _pictures: {Site("ffn", 0): planted})
    table = localization(vit, Loader(scenes))
    usable = [i for i in indices if 0 < cover[i].sum() < 64]
    assert sorted(table["image"].unique()) == usable
    assert (table.loc[table["feature"] == 0, "auroc"] == 1).all()
    assert (table.loc[table["feature"] == 1, "auroc"] == 0).all()
    assert table.loc[table["feature"] == 0, "control"].mean() < 0.9


def test_no_image_is_its_own_control(vit, scenes):
    table = localization(vit, Loader(scenes, batch=4, indices=np.arange(9)), features=8)
    assert not (table["auroc"] == table["control"]).groupby(table["image"]).all().any()


def test_own_and_control_are_read_from_the_right_images(vit, scenes):
    """The control of an image is the next image's map (the first's, for the last of a batch)."""
    indices = np.array([1, 4, 6, 10, 13, 14])
    table = localization(vit, Loader(scenes, batch=3, indices=indices), features=4).set_index(
        ["block", "feature", "image"]
    )
    follower = {1: 4, 4: 6, 6: 1, 10: 13, 13: 14, 14: 10}
    pictures = torch.stack([preprocess(vit.spec)(scenes.image(i)) for i in indices])
    with torch.no_grad():
        maps = read_many(vit, [Site("ffn", b) for b in (0, 7)], pictures)
    for block in (0, 7):
        features = sorted(table.loc[block].index.get_level_values("feature").unique())
        assert len(features) == 4
        acts = dict(zip(indices.tolist(), maps[Site("ffn", block)].bpc[..., features], strict=True))
        for image in table.loc[block].index.get_level_values("image").unique():
            cover = torch.from_numpy(cover_of(scenes, image)).reshape(1, -1)
            for column, source in (("auroc", image), ("control", follower[image])):
                expected = map_auroc(acts[source][None], cover)[0]
                found = [table.loc[(block, feature, image), column] for feature in features]
                assert np.allclose(found, expected, atol=1e-3)  # a near tie may turn with the batch size
