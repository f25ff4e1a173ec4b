"""Cutting an image along its object: foreground or background alone, and what stands in for the rest."""

import numpy as np
from PIL import Image, ImageFilter

from vitexplore.errors import InputError

CONDITIONS = ("full", "foreground", "background")
FILLS = ("black", "mean", "blur")
BLUR = 1 / 16  # of the shorter side: an object's outline is gone, the picture's colours are not


def cut(image: Image.Image, mask: np.ndarray, condition: str, fill: str = "black") -> Image.Image:
    """``image`` with all but the foreground (pixels in ``mask``, bool [h, w]), or all but the background, replaced
    by ``fill``: ``black`` (0, the paper's), ``mean`` (the mean colour of the pixels that stay) or ``blur`` (those
    pixels alone, blurred into the hole: nothing of what is cut out enters). At full resolution, before any resize
    (paper section 5)."""
    if fill not in FILLS:
        raise InputError(f"fill {fill!r} is none of {', '.join(FILLS)}")
    if condition == "full":
        return image
    keep = mask if condition == "foreground" else ~mask
    pixels = np.asarray(image)
    return Image.fromarray(np.where(keep[..., None], pixels, _filling(pixels, keep, fill)).astype(np.uint8))


def _filling(pixels: np.ndarray, keep: np.ndarray, fill: str) -> np.ndarray:
    """What is seen where ``keep`` is false: a colour or an image, 0 to 255."""
    if fill == "black" or not keep.any():
        return np.zeros(3)
    mean = pixels[keep].mean(0)
    if fill == "mean":
        return mean.round()
    # normalised convolution: blurred pixels over the blurred mask, and the mean colour out of the blur's reach
    blur = ImageFilter.GaussianBlur(BLUR * min(keep.shape))
    hidden = Image.fromarray(np.where(keep[..., None], pixels, 0).astype(np.uint8)).filter(blur)
    weight = np.asarray(Image.fromarray(keep.astype(np.uint8) * 255).filter(blur), dtype=np.float64)[..., None] / 255
    near = np.asarray(hidden, dtype=np.float64) / np.maximum(weight, 1e-9)
    return np.where(weight > 0.05, near, mean).clip(0, 255).round()
