"""Sets of images: lab scenes, and photographs in folders or shards, behind one face.

A set lies in a folder: ``images.parquet`` (one row an image) and, for rendered scenes, ``pixels.npz``.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from vitexplore.data.rle import decode
from vitexplore.errors import InputError


@dataclass(frozen=True)
class ImageSet:
    """``table``: columns ``label`` (index into ``classes``; left out where images have no class), ``name``, ``path``
    ("" for scenes), ``boxes`` (float [n, 4] as a list, empty where unknown). For indexed photographs also ``checksum``
    of the encoded picture, and ``offset`` and ``size`` of it in ``path``, in bytes; for COCO's ``mask`` and
    ``masks`` (see coco.py), and ``caption``, a list. ``classes`` in the classifiers' order."""

    table: pd.DataFrame
    classes: tuple[str, ...]
    pixels: np.ndarray | None = None
    masks: np.ndarray | None = None

    @classmethod
    def read(cls, folder: Path) -> "ImageSet":
        table = pd.read_parquet(folder / "images.parquet")
        classes = tuple((folder / "classes.txt").read_text().split("\n")[:-1])
        if not (folder / "pixels.npz").exists():
            return cls(table, classes)
        with np.load(folder / "pixels.npz") as arrays:
            return cls(table, classes, arrays["pixels"], arrays["masks"])

    def __len__(self) -> int:
        return len(self.table)

    @property
    def photographs(self) -> bool:
        """Whether they are photographs, and not rendered scenes."""
        return self.pixels is None

    @cached_property
    def labels(self) -> np.ndarray:
        """int64 [n]. Raises InputError where the images have no classes."""
        if "label" not in self.table:
            raise InputError("these images have no classes; take images that have, or leave out what needs labels")
        return self.table["label"].to_numpy(dtype=np.int64)

    @property
    def has_boxes(self) -> np.ndarray:
        """bool [n]: whether the object's place is known."""
        return np.array([len(boxes) > 0 for boxes in self.table["boxes"]], dtype=bool)

    def image(self, index: int) -> Image.Image:
        """RGB. Raises InputError, naming the file, when it can no longer be read, or is not what was indexed."""
        if self.pixels is not None:
            return Image.fromarray(self.pixels[index])
        row = self.table.iloc[index]
        try:
            with Path(row["path"]).open("rb") as file:
                file.seek(row.get("offset", 0))
                data = file.read(row.get("size", -1))
            if "checksum" in row and checksum(data) != row["checksum"]:
                raise InputError(f"{row['path']} has changed since it was indexed; run again with --forcerun index")
            return decoded(data)
        except OSError as error:
            raise InputError(f"{row['path']} cannot be read any more: {error}") from error

    def mask(self, index: int) -> np.ndarray:
        """bool [h, w]: the pixels of the object, or of its boxes where only those are known."""
        if self.masks is not None:
            return self.masks[index]
        row = self.table.iloc[index]
        return decode(row["mask"], row["width"], row["height"]) if row.get("mask") else self.box_mask(index)

    def objects(self, index: int) -> dict[str, np.ndarray]:
        """By class the pixels of the image's objects of it, bool [h, w]: of COCO by category; of other images of their
        own class, "" where they have none."""
        row = self.table.iloc[index]
        if (masks := row.get("masks")) is not None:
            size = row["width"], row["height"]
            return {name: decode(mask, *size) for name, mask in zip(row["category"], masks, strict=True)}
        return {self.classes[row["label"]] if "label" in self.table else "": self.mask(index)}

    def box_mask(self, index: int) -> np.ndarray:
        """bool [h, w]: the pixels inside the object's boxes."""
        row = self.table.iloc[index]
        mask = np.zeros((row["height"], row["width"]), dtype=bool)
        for left, top, right, bottom in row["boxes"]:
            mask[max(0, round(top)) : max(0, round(bottom)), max(0, round(left)) : max(0, round(right))] = True
        return mask

    def caption(self, index: int) -> str | None:
        """What a caption says of the image, the first where there are several; None where there is none."""
        said = self.table.iloc[index].get("caption")
        if said is None or isinstance(said, str):
            return said
        return said[0] if len(said) else None


def decoded(data: bytes) -> Image.Image:
    """An encoded picture as RGB. Raises what Pillow does, mostly OSError."""
    with Image.open(BytesIO(data)) as image:
        return image.convert("RGB")


def checksum(data: bytes) -> int:
    """The first 8 bytes of SHA-256 as a signed number, which any table holds."""
    return int.from_bytes(hashlib.sha256(data).digest()[:8], signed=True)


def spread(count: int, most: int) -> np.ndarray:
    """At most ``most`` of ``count`` indices, drawn once and for all, in random order: images come sorted by
    class, and neither a sample nor a batch should."""
    return np.random.default_rng(0).permutation(count)[:most]
