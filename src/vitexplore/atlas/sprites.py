"""Many small pictures in one WebP file, and thumbnails."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from vitexplore.figures.overlays import COLOUR, seen
from vitexplore.io import write_atomically

SHOWN_GRID = 28  # rows and columns of a map at most
LARGEST = 192  # pixels of a side, of thumbnails and visualizations


def shares(maps: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Activations [f, k, h, w] as shares of ``most`` [f], uint8 from 0 (0 or less) to 255 (``most`` or more); coarser
    where they have more than SHOWN_GRID rows or columns. ``most`` of 0 or less: all 0."""
    maps_fkhw = _coarser(maps.astype(np.float32))
    scale_f = np.divide(1, most, out=np.zeros(len(most), np.float32), where=most > 0)
    return (255 * np.clip(maps_fkhw * scale_f[:, None, None, None], 0, 1)).round().astype(np.uint8)


def _coarser(maps_fkhw: np.ndarray) -> np.ndarray:
    """By the mean over blocks of a whole number of positions."""
    rows, columns = maps_fkhw.shape[2:]
    step = -(-max(rows, columns) // SHOWN_GRID)
    if step == 1:
        return maps_fkhw
    padded = np.pad(maps_fkhw, ((0, 0), (0, 0), (0, -rows % step), (0, -columns % step)), mode="edge")
    blocks = padded.reshape(*padded.shape[:2], padded.shape[2] // step, step, padded.shape[3] // step, step)
    return blocks.mean((3, 5))


def write_maps(path: Path, shares_fkhw: np.ndarray) -> None:
    """A row for each feature, a column for each image: the colour of maps, as opaque as the feature fires, so that a
    page lays it over a picture as it is."""
    features, count, rows, columns = shares_fkhw.shape
    alpha = shares_fkhw.swapaxes(1, 2).reshape(features * rows, count * columns)
    sheet = np.empty((*alpha.shape, 4), np.uint8)
    sheet[..., :3], sheet[..., 3] = COLOUR, alpha
    _save(Image.fromarray(sheet), path, lossless=True, exact=True)


def write_sheet(path: Path, pictures: Sequence[np.ndarray], across: int) -> None:
    """``pictures``, uint8 [h, w, 3] of one size, ``across`` of them in a row."""
    side = min(LARGEST, len(pictures[0]))
    sheet = Image.new("RGB", (across * side, -(-len(pictures) // across) * side))
    for number, picture in enumerate(pictures):
        tile = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
        sheet.paste(tile, (number % across * side, number // across * side))
    _save(sheet, path, quality=80)


def write_thumbnail(path: Path, image: Image.Image) -> None:
    """The central square of an RGB ``image``."""
    side = min(LARGEST, *image.size)
    _save(Image.fromarray(seen(image, 1.0, side)), path, quality=80)


def _save(picture: Image.Image, path: Path, **options: object) -> None:
    write_atomically(path, lambda temporary: picture.save(temporary, "WEBP", method=4, **options))
