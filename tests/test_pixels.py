"""Statistics of pixels, against slow ones and pictures of which they are known."""

import numpy as np
import pandas as pd
import pytest

from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader
from vitexplore.measures.pixels import SIDE, pixel_statistics

RNG = np.random.default_rng(0)
QUARTERS = ("upper_left", "upper_right", "lower_left", "lower_right")


def statistics(pictures: list[np.ndarray], **how) -> pd.DataFrame:
    """Of pictures in [0, 1], [h, w, 3]."""
    pixels = (255 * np.stack(pictures)).round().astype(np.uint8)
    table = pd.DataFrame({"label": np.zeros(len(pixels), dtype=int)})
    return pixel_statistics(Loader(ImageSet(table, ("a",), pixels), **how))


def slow_energy_above(pixels_hwc: np.ndarray, frequency: float) -> float:
    """Share of the energy of cosine waves of more than ``frequency``, in shares of Nyquist, by the sums themselves."""
    side, fine, total = len(pixels_hwc), 0.0, 0.0
    place = np.arange(side)
    for y in range(side):
        for x in range(side):
            wave = np.exp(-2j * np.pi * (y * place[:, None] + x * place) / side)
            energy = sum(abs((pixels_hwc[..., c] * wave).sum()) ** 2 for c in range(3))
            if x or y:
                total += energy
                fine += energy * (np.hypot(min(y, side - y), min(x, side - x)) > frequency * side / 2)
    return fine / total


def slow(pixels_hwc: np.ndarray, rows: range, columns: range) -> dict[str, float]:
    """Statistics of one place of a picture, pixel by pixel."""

    def grey(y: int, x: int) -> float:
        return float(pixels_hwc[y, x] @ [0.299, 0.587, 0.114])

    seen = {name: [] for name in ("red", "green", "blue", "luminance", "saturation")}
    steps = []
    for y in rows:
        for x in columns:
            colours = [float(level) for level in pixels_hwc[y, x]]
            found = [*colours, grey(y, x), max(colours) - min(colours)]
            for name, level in zip(seen, found, strict=True):
                seen[name].append(level)
            right = grey(y, x + 1) - grey(y, x) if x + 1 < SIDE else 0.0
            down = grey(y + 1, x) - grey(y, x) if y + 1 < SIDE else 0.0
            steps.append((right**2 + down**2) ** 0.5)
    means = {f"{name}_mean": sum(levels) / len(levels) for name, levels in seen.items()}
    deviations = {f"{name}_deviation": np.std(levels) for name, levels in seen.items()}
    return means | deviations | {"gradient": sum(steps) / len(steps)}


def test_statistics_are_what_pixels_say_one_by_one():
    picture = RNG.integers(0, 256, (SIDE, SIDE, 3)) / 255
    (found,) = statistics([picture]).to_dict("records")
    assert len(found) == 12 * 5
    first, second, both = range(SIDE // 2), range(SIDE // 2, SIDE), range(SIDE)
    places = {"whole": (both, both)}
    places |= dict(zip(QUARTERS, [(first, first), (first, second), (second, first), (second, second)], strict=True))
    for place, (rows, columns) in places.items():
        for name, wanted in slow(picture, rows, columns).items():
            assert found[f"{name}_{place}"] == pytest.approx(wanted, abs=1e-6)
    wanted = slow_energy_above(picture[SIDE // 2 :, : SIDE // 2], 0.25)
    assert found["high_frequencies_lower_left"] == pytest.approx(wanted, abs=1e-6)


def test_a_flat_picture_has_a_colour_and_nothing_else():
    (found,) = statistics([np.full((SIDE, SIDE, 3), [1.0, 0.2, 0.2])]).to_dict("records")
    known = {"red_mean": 1.0, "green_mean": 0.2, "blue_mean": 0.2, "saturation_mean": 0.8}
    known["luminance_mean"] = 0.299 + 0.2 * 0.701
    for name, value in found.items():
        statistic = name.removesuffix("_whole")
        for quarter in QUARTERS:
            statistic = statistic.removesuffix(f"_{quarter}")
        assert value == pytest.approx(known.get(statistic, 0.0), abs=1e-6)


def test_places_are_where_they_are_called():
    bright = []
    for rows in (slice(None, SIDE // 2), slice(SIDE // 2, None)):
        for columns in (slice(None, SIDE // 2), slice(SIDE // 2, None)):
            picture = np.zeros((SIDE, SIDE, 3))
            picture[rows, columns] = 1.0
            bright.append(picture)
    found = statistics(bright)
    assert np.array_equal(found[[f"red_mean_{quarter}" for quarter in QUARTERS]], np.eye(4))
    assert found["red_mean_whole"].tolist() == [0.25] * 4


def test_a_picture_of_another_size_is_brought_to_sixty_four_pixels():
    halves = np.zeros((3 * SIDE, 2 * SIDE, 3))
    halves[:, SIDE:] = 1.0
    (found,) = statistics([halves]).to_dict("records")
    assert found["luminance_mean_upper_left"] == pytest.approx(0.0, abs=0.01)
    assert found["luminance_mean_lower_right"] == pytest.approx(1.0, abs=0.01)
    assert found["gradient_whole"] == pytest.approx(1 / SIDE, abs=0.001)


def test_rows_are_in_the_loaders_order_whatever_the_batch():
    pictures = [np.full((SIDE, SIDE, 3), level) for level in (0.0, 0.2, 0.4, 0.6)]
    found = statistics(pictures, indices=np.array([3, 0, 2]), batch=2)
    assert found["red_mean_whole"].to_numpy() == pytest.approx([0.6, 0.0, 0.4])
    assert set(found.dtypes) == {np.dtype(np.float32)}
