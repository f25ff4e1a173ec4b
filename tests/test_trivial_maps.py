"""Maps that need no network, pixel by pixel; and pictures in which one of them alone finds the object."""

import numpy as np
import pytest
import torch

from vitexplore.measures.localization import map_auroc
from vitexplore.measures.trivial_maps import TRIVIAL, trivial_maps


def areas(image: np.ndarray, rows: int, columns: int) -> list[np.ndarray]:
    """``image`` [..., h, w] cut into a grid."""
    return [part for row in np.split(image, rows, axis=-2) for part in np.split(row, columns, axis=-1)]


def slopes(grey: np.ndarray) -> np.ndarray:
    """Length of the step from each pixel to the next one to the right and below; none over the edge."""
    height, width = grey.shape
    found = np.zeros_like(grey)
    for y in range(height):
        for x in range(width):
            down, across = grey[min(y + 1, height - 1), x] - grey[y, x], grey[y, min(x + 1, width - 1)] - grey[y, x]
            found[y, x] = (down**2 + across**2) ** 0.5
    return found


def slow(image: np.ndarray, rows: int, columns: int) -> dict[str, list[float]]:
    """Of ``image`` [3, h, w]: each trivial map, position by position."""
    red, green, blue = image
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    return {
        "variance": [np.mean([colour.var() for colour in part]) for part in areas(image, rows, columns)],
        "brightness": [part.mean() for part in areas(grey, rows, columns)],
        "saturation": [part.mean() for part in areas(image.max(0) - image.min(0), rows, columns)],
        "edges": [part.mean() for part in areas(slopes(grey), rows, columns)],
        "centre": [
            -((((row + 0.5) / rows - 0.5) ** 2 + ((column + 0.5) / columns - 0.5) ** 2) ** 0.5)
            for row in range(rows)
            for column in range(columns)
        ],
    }


@pytest.mark.parametrize("grid", [(4, 4), (3, 6), (1, 2)])
def test_each_map_against_a_slow_one(grid):
    pixels = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    found = trivial_maps(pixels, grid)
    assert found.shape == (2, grid[0] * grid[1], len(TRIVIAL))
    for image, maps in zip(pixels.double().numpy(), found.numpy(), strict=True):
        wanted = slow(image, *grid)
        for number, name in enumerate(TRIVIAL):
            assert np.allclose(maps[:, number], wanted[name], atol=1e-12), name


def test_flat_areas_are_ties():
    """Though rounding differs from grey to grey, and one pixel that is lighter by one level breaks the tie."""
    levels = torch.arange(64).reshape(1, 1, 8, 8) * 3 / 255
    pixels = torch.kron(levels, torch.ones(1, 3, 9, 9))
    variance = trivial_maps(pixels, (8, 8))[0, :, TRIVIAL.index("variance")]
    assert variance.unique().numel() == 1
    pixels[0, 0, 4, 4] += 1 / 255
    variance = trivial_maps(pixels, (8, 8))[0, :, TRIVIAL.index("variance")]
    assert variance.argmax() == 0 and variance.unique().numel() == 2


def test_the_centre_is_symmetric_to_the_last_bit():
    centre = trivial_maps(torch.zeros(1, 3, 14, 14), (7, 7))[0, :, TRIVIAL.index("centre")].reshape(7, 7)
    assert torch.equal(centre, centre.flip(0)) and torch.equal(centre, centre.flip(1)) and torch.equal(centre, centre.T)


def framed(columns: list[float]) -> np.ndarray:
    """An area of 8 by 8 pixels with vertical stripes of mean 0 in a frame of 0, scaled so that its slopes have mean 1
    among areas that all have that frame."""
    area = np.pad(np.tile(columns, (6, 1)), 1)
    return area / slopes(np.pad(area, 8))[8:-8, 8:-8].mean()


def textured_objects(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Grey pictures of 8 by 8 areas, and the object's mask [b, p], anywhere. Object and ground have one brightness and
    slopes of one size; the object's single step is higher for that than those of the ground's fine stripes."""
    rng = np.random.default_rng(0)
    step, stripes = framed([-1, -1, -1, 1, 1, 1]), framed([-1, 1, -1, 1, -1, 1])
    mask = rng.random((count, 8, 8)) < 0.3
    contrast = rng.uniform(0.09, 0.11, mask.shape) * rng.choice([-1, 1], mask.shape)
    parts = np.where(mask[..., None, None], step, stripes) * contrast[..., None, None]
    grey = 0.5 + parts.transpose(0, 1, 3, 2, 4).reshape(count, 64, 64)
    return torch.from_numpy(grey)[:, None].repeat(1, 3, 1, 1), torch.from_numpy(mask).flatten(1)


def test_variance_alone_finds_objects_that_are_of_stronger_contrast():
    pixels, mask = textured_objects(40)
    mean = dict(zip(TRIVIAL, map_auroc(trivial_maps(pixels, (8, 8)), mask)[0].mean(0).tolist(), strict=True))
    assert mean.pop("variance") == 1
    assert all(0.4 < auroc < 0.6 for auroc in mean.values()), mean
