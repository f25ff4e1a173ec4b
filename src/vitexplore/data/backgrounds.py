"""The eight grounds that lab scenes stand on, and the sky above them.

Each painter returns float [size, size, 3], 0 to 1, drawn from the generator it is given.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image


def _cloudy(rng: np.random.Generator, size: int, rows: int, columns: int) -> np.ndarray:
    """Smooth noise [size, size], 0 to 1, with about ``rows`` x ``columns`` bumps."""
    coarse = Image.fromarray(rng.random((rows, columns), dtype=np.float32))
    return np.clip(np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float64), 0, 1)


def _mix(low: tuple, high: tuple, share: np.ndarray) -> np.ndarray:
    return np.asarray(low) * (1 - share[..., None]) + np.asarray(high) * share[..., None]


def _grass(rng: np.random.Generator, size: int) -> np.ndarray:
    return _mix((0.16, 0.42, 0.10), (0.52, 0.78, 0.30), _cloudy(rng, size, size // 5, size))


def _sand(rng: np.random.Generator, size: int) -> np.ndarray:
    grain = 0.6 * _cloudy(rng, size, size // 6, 3) + 0.4 * rng.random((size, size))
    return _mix((0.72, 0.58, 0.36), (0.96, 0.86, 0.62), grain)


def _water(rng: np.random.Generator, size: int) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    swell = np.sin(2 * np.pi * (rows / 7 + rng.random()) + 1.2 * np.sin(columns / 5 + 6 * rng.random()))
    return _mix((0.05, 0.22, 0.50), (0.40, 0.68, 0.88), 0.5 + 0.5 * swell * _cloudy(rng, size, 6, 6))


def _snow(rng: np.random.Generator, size: int) -> np.ndarray:
    return _mix((0.78, 0.84, 0.93), (1.0, 1.0, 1.0), _cloudy(rng, size, 6, 5))


def _street(rng: np.random.Generator, size: int) -> np.ndarray:
    grey = _mix((0.30, 0.30, 0.32), (0.46, 0.46, 0.48), rng.random((size, size)))
    rows, columns = np.mgrid[:size, :size]
    dashes = (np.mod(rows + rng.integers(22), 22) < 2) & (np.mod(columns + rng.integers(16), 16) < 10)
    grey[dashes] = (0.93, 0.93, 0.88)
    return grey


def _forest(rng: np.random.Generator, size: int) -> np.ndarray:
    leaves = _cloudy(rng, size, size // 4, size // 4) > 0.5
    return _mix((0.05, 0.16, 0.08), (0.18, 0.36, 0.14), leaves * (0.6 + 0.4 * rng.random((size, size))))


def _rocks(rng: np.random.Generator, size: int) -> np.ndarray:
    levels = np.floor(4 * np.clip(_cloudy(rng, size, 9, 9), 0, 0.999)) / 3
    return _mix((0.32, 0.25, 0.22), (0.70, 0.62, 0.56), levels)


def _floor(rng: np.random.Generator, size: int) -> np.ndarray:
    planks = np.arange(size) // 9
    shade = rng.random(planks[-1] + 1)[planks][None].repeat(size, 0)
    wood = _mix((0.48, 0.27, 0.12), (0.74, 0.48, 0.26), 0.7 * shade + 0.3 * _cloudy(rng, size, 4, size))
    wood[:, np.arange(size) % 9 == 0] *= 0.55
    return wood


BACKGROUNDS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "grass": _grass,
    "sand": _sand,
    "water": _water,
    "snow": _snow,
    "street": _street,
    "forest": _forest,
    "rocks": _rocks,
    "floor": _floor,
}


def paint_ground(name: str, rng: np.random.Generator, size: int) -> np.ndarray:
    return BACKGROUNDS[name](rng, size)


def paint_sky(name: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """What stands above the horizon: a wall indoors, trees in the forest, sky elsewhere."""
    if name == "floor":
        return _mix((0.80, 0.74, 0.62), (0.88, 0.82, 0.70), _cloudy(rng, size, 3, 3))
    if name == "forest":
        trunks = _cloudy(rng, size, 2, size // 4) > 0.55
        return _mix((0.10, 0.24, 0.12), (0.24, 0.17, 0.10), trunks.astype(np.float64))
    height = np.linspace(0, 1, size)[:, None].repeat(size, 1)
    clouds = 0.35 * (_cloudy(rng, size, 9, 4) > 0.62)
    return _mix((0.45, 0.68, 0.95), (0.85, 0.92, 0.98), np.clip(height + clouds, 0, 1))
