"""Write the mean magnitude spectrum of a folder's photographs, and a record of how it came about."""

import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torchvision.transforms.functional import center_crop, resize, to_tensor

from vitexplore.data.photos import folder_of_photos
from vitexplore.errors import InputError
from vitexplore.io import sha256, write_atomically, write_json
from vitexplore.progress import track
from vitexplore.provenance import versions
from vitexplore.visualize.spectrum import MARGIN, natural_magnitude, pixel_variance


def spectrum(images: Path, side: int, out: Path) -> None:
    """Write to the safetensors file ``out`` the magnitude of the photographs below ``images``, shorter side resized to
    ``side`` and cropped in the middle: ``magnitude`` float16 [3, side, side // 2 + 1], over ``side`` (which keeps
    float16 from overflow). A record goes beside it as JSON. Photographs smaller than ``side`` are left out: enlarged,
    they lack high frequencies. Raises InputError where none is left."""
    photographs = folder_of_photos(images)
    large = np.flatnonzero(photographs.table[["width", "height"]].min(axis=1) >= side)
    if not len(large):
        raise InputError(f"{images}: all photographs are smaller than {side} pixels; choose a smaller --side")
    total = torch.zeros(3, side, side // 2 + 1)
    for index in track(large, f"{images}: spectrum", len(large)):
        picture = resize(photographs.image(index), [side])
        total += natural_magnitude(to_tensor(center_crop(picture, [side]))[None])
    magnitude = total / len(large)
    write_atomically(out, lambda path: save_file({"magnitude": (magnitude / side).half()}, path))
    record = {
        "photographs": len(large),
        "left_out": len(photographs) - len(large),
        "photographs_sha256": _hash(photographs.table["checksum"].iloc[large]),
        "side": side,
        "how": f"resized to {side} pixels on the shorter side, cropped in the middle; pixels clamped to"
        f" [{MARGIN:g}, {1 - MARGIN:g}], logit, colours decorrelated; mean over photographs of |rfft2| / side",
        "pixel_variance": [round(float(each), 4) for each in pixel_variance(magnitude)],
        "date": date.today().isoformat(),
        "libraries": versions(),
        "sha256": sha256(out),
    }
    write_json(out.with_suffix(".json"), record)


def _hash(checksums: np.ndarray) -> str:
    """Of the photographs, whatever their names and order."""
    return hashlib.sha256(np.sort(np.asarray(checksums, dtype="<i8")).tobytes()).hexdigest()
