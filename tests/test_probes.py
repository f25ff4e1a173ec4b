"""Splits that probe: scenes whose factors are unlinked, and such scenes on a ground that is as textured as the objects.
The four splits of world 1 stay as they were."""

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import binary_dilation, binary_erosion
from scipy.stats import chi2_contingency, chisquare, mannwhitneyu

from vitexplore.data import scenes as module
from vitexplore.data.backgrounds import BACKGROUNDS
from vitexplore.data.captions import caption
from vitexplore.data.scene_sets import factors
from vitexplore.data.scenes import PROBES, SIZE, draw, draw_split, sample
from vitexplore.data.textures import PATTERNED, TEXTURES

PATCH, COUNT = 8, 200
WORLD_1 = {
    "train": "c24a558c32c22d01",
    "easy": "b327ac40d8f2a4e5",
    "validation": "8ccffe915cfe0a15",
    "test": "a37f6e83c320c815",
}


@pytest.mark.parametrize("split", WORLD_1)
def test_the_splits_of_world_1_are_what_they_were(split):
    pixels, masks, boxes = draw_split(split, 48)
    table = pd.DataFrame([factors(sample(split, index)) for index in range(48)])
    digest = hashlib.sha256(pixels.tobytes() + masks.tobytes() + np.concatenate(boxes).tobytes())
    digest.update(table.to_json().encode())
    assert digest.hexdigest()[:16] == WORLD_1[split]


# --- unlinked


@pytest.mark.parametrize("split", PROBES)
@pytest.mark.parametrize(("one", "other"), [("label", "texture"), ("label", "background"), ("texture", "background")])
def test_factors_tell_as_little_of_each_other_as_chance_does(split, one, other):
    """By their mutual information: 2 n ln 2 times its bits is chi-squared where there is none (Wilks 1938)."""
    drawn = [sample(split, index) for index in range(2000)]
    counts = Counter((getattr(scene, one), getattr(scene, other)) for scene in drawn)
    rows, columns = sorted({a for a, _ in counts}), sorted({b for _, b in counts})
    table = [[counts[a, b] for b in columns] for a in rows]
    assert chi2_contingency(table, lambda_="log-likelihood").pvalue > 1e-3


@pytest.mark.parametrize("split", PROBES)
@pytest.mark.parametrize(("factor", "values"), [("texture", TEXTURES), ("background", tuple(BACKGROUNDS))])
def test_every_texture_and_background_comes_as_often(split, factor, values):
    counts = Counter(getattr(sample(split, index), factor) for index in range(2000))
    assert set(counts) == set(values)
    assert chisquare([counts[value] for value in values]).pvalue > 1e-3


def test_unlinked_scenes_are_those_of_test_less_the_links(monkeypatch):
    unlinked = [sample("unlinked", index) for index in range(64)]
    monkeypatch.setitem(module.SPLITS, "test", module.SPLITS["unlinked"])
    assert [sample("test", index) for index in range(64)] != unlinked
    monkeypatch.setattr(module, "BACKGROUND_LINK", 0.0)
    monkeypatch.setattr(module, "TEXTURE_LINK", 0.0)
    assert [sample("test", index) for index in range(64)] == unlinked


# --- textured


def test_textured_scenes_are_unlinked_ones_on_a_ground_with_a_texture(monkeypatch):
    textured = [sample("textured", index) for index in range(64)]
    assert {scene.ground_texture for scene in textured} == set(PATTERNED)
    monkeypatch.setitem(module.SPLITS, "unlinked", module.SPLITS["textured"])
    assert [sample("unlinked", index) for index in range(64)] == [replace(s, ground_texture="") for s in textured]


def test_the_stones_change_the_ground_and_leave_mask_objects_and_caption():
    """Speckled objects apart: their texture is drawn after the ground, from the same generator."""
    for scene in [s for s in map(sample, ["textured"] * 40, range(40)) if s.texture != "speckled"]:
        plain = replace(scene, ground_texture="")
        one, other = draw(scene), draw(plain)
        assert np.array_equal(one.mask, other.mask) and np.array_equal(one.boxes, other.boxes)
        assert caption(scene) == caption(plain)
        changed = (one.pixels != other.pixels).any(axis=2)
        assert changed[binary_erosion(one.mask)].mean() < 0.03  # slits between parts let some ground through
        assert changed[~binary_dilation(one.mask, iterations=2)].mean() > 0.8


def patches(values: np.ndarray, side: int = PATCH) -> np.ndarray:
    """[..., h, w] as [..., patches, pixels], patches of ``side`` pixels in rows."""
    grid = values.shape[-1] // side
    cells = values.reshape(*values.shape[:-2], grid, side, grid, side)
    return np.moveaxis(cells, -2, -3).reshape(*values.shape[:-2], grid**2, side**2)


def variance(rgb: np.ndarray, coarser: int) -> np.ndarray:
    """Of the pixels of each patch, ``coarser`` times as large as they are; mean over colours."""
    side = SIZE // coarser
    means = patches(rgb, coarser).mean(-1).reshape(3, side, side)
    return patches(means, PATCH // coarser).var(-1).mean(0)


def statistics(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Of each patch of an image [h, w, 3], by name."""
    rgb = np.moveaxis(pixels / 255, 2, 0)
    grey = rgb.mean(0)
    return {
        "variance": variance(rgb, 1),
        "variance at 2 px": variance(rgb, 2),
        "variance at 4 px": variance(rgb, 4),
        "variance of grey": patches(grey).var(-1),
        "brightness": patches(grey).mean(-1),
        "saturation": patches(rgb.max(0) - rgb.min(0)).mean(-1),
        "edges": patches(np.hypot(*np.gradient(grey))).mean(-1),
    }


def aurocs(split: str) -> dict[str, float]:
    """How well each statistic tells patches of the object from the others, mean over COUNT images."""
    found: dict[str, list[float]] = {}
    for pixels, mask in zip(*draw_split(split, COUNT)[:2], strict=True):
        inside = patches(mask).mean(-1) >= 0.5
        if inside.any():
            pairs = inside.sum() * (~inside).sum()
            for name, values in statistics(pixels).items():
                found.setdefault(name, []).append(mannwhitneyu(values[inside], values[~inside]).statistic / pairs)
    return {name: float(np.mean(values)) for name, values in found.items()}


def test_variance_and_edges_find_the_objects_on_plain_ground():
    found = aurocs("unlinked")
    assert found["variance"] > 0.85 and found["edges"] > 0.85


def test_no_statistic_of_a_patch_finds_the_objects_on_a_textured_ground():
    found = aurocs("textured")
    assert 0.45 < found["variance"] < 0.6
    assert all(0.4 < value < 0.6 for value in found.values()), found
