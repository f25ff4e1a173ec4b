"""Small square pictures with a row of numbers each: what the figures of pictures are drawn from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

ACROSS = 16  # tiles beside each other in the file


class Missing(Exception):
    """Raised where a scale has not what an item is drawn from; the message says what, in one sentence."""


@dataclass(frozen=True)
class Tiles:
    """``table``: a row for each of ``pictures``, uint8 [n, side, side, 3]."""

    table: pd.DataFrame
    pictures: np.ndarray

    @classmethod
    def of(cls, cells: Sequence[tuple[dict[str, Any], np.ndarray]], side: int) -> "Tiles":
        """From each tile's row and picture, uint8 [h, w, 3], brought to ``side``. Raises Missing where none is."""
        if not cells:
            raise Missing("no feature of this scale has the pictures that this shows")
        rows, pictures = zip(*cells, strict=True)
        return cls(pd.DataFrame(list(rows)), np.stack([_resized(picture, side) for picture in pictures]))

    @classmethod
    def read(cls, table: Path) -> "Tiles":
        """What lies in the CSV ``table`` and, as ``atlas``, in the PNG beside it."""
        rows, atlas = pd.read_csv(table), np.asarray(Image.open(table.with_suffix(".png")))
        side = atlas.shape[1] // ACROSS
        cut = atlas.reshape(-1, side, ACROSS, side, 3).swapaxes(1, 2).reshape(-1, side, side, 3)
        return cls(rows, cut[: len(rows)])

    def atlas(self) -> np.ndarray:
        """All pictures in one, ACROSS in a row: uint8 [h, w, 3]."""
        side, missing = self.pictures.shape[1], -len(self.pictures) % ACROSS
        padded = np.pad(self.pictures, ((0, missing), (0, 0), (0, 0), (0, 0)))
        return padded.reshape(-1, ACROSS, side, side, 3).swapaxes(1, 2).reshape(-1, ACROSS * side, 3)

    def __iter__(self) -> Iterator[tuple[Any, np.ndarray]]:
        """Rows, as named tuples, with their pictures."""
        return zip(self.table.itertuples(), self.pictures, strict=True)


def _resized(picture: np.ndarray, side: int) -> np.ndarray:
    """Maps, which are small, keep their squares."""
    way = Image.Resampling.NEAREST if min(picture.shape[:2]) < side else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(picture).resize((side, side), way))
