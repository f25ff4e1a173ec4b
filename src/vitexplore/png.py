"""Pictures as PNG bytes, as tables keep them."""

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:  # takes seconds to import, and what draws tables needs none
    from torch import Tensor


def encode(image: "Tensor") -> bytes:
    """An image [3, h, w] in [0, 1], or [4, h, w] with its alpha, as PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray((image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def decode(png: bytes) -> np.ndarray:
    """PNG bytes to uint8 [h, w, 3], without the alpha."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
