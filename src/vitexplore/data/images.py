"""Sets of images with labels: lab scenes and folders of photographs behind one face.

A set lies in a folder: ``images.parquet`` (one row an image) and, for rendered scenes, ``pixels.npz``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, normalize, resize, to_tensor

from vitexplore.errors import InputError

if TYPE_CHECKING:  # the registry takes seconds to import, and a folder of images needs no model
    from vitexplore.models.registry import ModelSpec

CONDITIONS = ("full", "foreground", "background")
PREPROCESSINGS = ("own", "paper_table2")


@dataclass(frozen=True)
class ImageSet:
    """``table``: columns ``label`` (index into ``classes``), ``name``, ``path`` ("" for scenes),
    ``boxes`` (float [n, 4] as a list, empty where unknown). ``classes`` in the classifiers' order."""

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

    @cached_property
    def labels(self) -> np.ndarray:
        """int64 [n]."""
        return self.table["label"].to_numpy(dtype=np.int64)

    @property
    def has_boxes(self) -> np.ndarray:
        """bool [n]: whether the object's place is known."""
        return np.array([len(boxes) > 0 for boxes in self.table["boxes"]], dtype=bool)

    def image(self, index: int) -> Image.Image:
        """RGB. Raises InputError, naming the file, when it can no longer be read."""
        if self.pixels is not None:
            return Image.fromarray(self.pixels[index])
        path = self.table["path"].iloc[index]
        try:
            with Image.open(path) as image:
                return image.convert("RGB")
        except OSError as error:
            raise InputError(f"{path} cannot be read any more: {error}") from error

    def mask(self, index: int) -> np.ndarray:
        """bool [h, w]: the pixels of the object, or of its boxes where only those are known."""
        return self.box_mask(index) if self.masks is None else self.masks[index]

    def box_mask(self, index: int) -> np.ndarray:
        """bool [h, w]: the pixels inside the object's boxes."""
        row = self.table.iloc[index]
        mask = np.zeros((row["height"], row["width"]), dtype=bool)
        for left, top, right, bottom in row["boxes"]:
            mask[max(0, round(top)) : max(0, round(bottom)), max(0, round(left)) : max(0, round(right))] = True
        return mask


def cut(image: Image.Image, mask: np.ndarray, condition: str) -> Image.Image:
    """``image`` with all but the foreground (pixels in ``mask``), or all but the background, set to 0;
    at full resolution, before any resize (paper section 5)."""
    if condition == "full":
        return image
    keep = mask if condition == "foreground" else ~mask
    return Image.fromarray(np.asarray(image) * keep[..., None])


def preprocess(spec: "ModelSpec", how: str = "own") -> Callable[[Image.Image], Tensor]:
    """From an RGB image to float [3, size, size]. ``own``: the model's resize, interpolation and crop.
    ``paper_table2``: shorter side to the input size itself, bilinear (paper section 5). Both normalise by
    the model's mean and std."""
    if how not in PREPROCESSINGS:
        raise InputError(f"preprocessing {how!r} is none of {', '.join(PREPROCESSINGS)}")
    own = how == "own"
    # rounded down, as timm does; the small addend keeps 224 / (224 / 232) at 232
    side = floor(spec.input_size / spec.crop + 1e-6) if own else spec.input_size
    mode = InterpolationMode(spec.interpolation) if own else InterpolationMode.BILINEAR

    def transform(image: Image.Image) -> Tensor:
        if min(image.size) != side:
            image = resize(image, [side], mode)
        return normalize(to_tensor(center_crop(image, [spec.input_size])), spec.mean, spec.std)

    return transform


def batches(
    images: ImageSet,
    transform: Callable[[Image.Image], Tensor],
    indices: np.ndarray,
    size: int,
    condition: str = "full",
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """(indices, float [b, 3, h, w]) for ``indices`` in order, at most ``size`` at a time, cut to ``condition``. Batches
    are as even as can be: a lone last image would have none beside it to be compared with."""
    for chunk in np.array_split(indices, ceil(len(indices) / size)) if len(indices) else ():
        pictures = []
        for index in chunk:
            picture = images.image(index)
            if condition != "full":
                picture = cut(picture, images.box_mask(index), condition)
            pictures.append(transform(picture))
        yield chunk, torch.stack(pictures)


def spread(count: int, most: int) -> np.ndarray:
    """At most ``most`` of ``count`` indices, drawn once and for all, in random order: images come sorted by
    class, and neither a sample nor a batch should."""
    return np.random.default_rng(0).permutation(count)[:most]
