"""What is drawn over pictures: where a feature fires, and the mark of one that does not."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

SIDE = 160  # pixels of an image on a sheet
COLOUR = np.array([255, 25, 155])  # of maps: the rarest hue in photographs
STRENGTH = 0.55  # of the overlay where a feature fires most
HOW_TO_READ = "The images that activate each feature most, best first: the pinker, the more it fires there."
FADED = 0.6  # how far dead pictures go towards white


def seen(image: Image.Image, crop: float, side: int = SIDE) -> np.ndarray:
    """The central square of an RGB ``image`` that a model saw, over which its maps lie: uint8 [side, side, 3].
    ``crop``: its side over the shorter side of the image."""
    whole = crop * min(image.size)
    left, top = (image.width - whole) / 2, (image.height - whole) / 2
    box = (left, top, left + whole, top + whole)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=box))


def under_map(picture: np.ndarray, map_hw: np.ndarray, most: float) -> np.ndarray:
    """``picture``, as it was ``seen``, under a feature's map, uint8 [SIDE, SIDE, 3]: the more coloured the more the
    feature fires, bare where its activation is 0 or less. ``most``: the activation of the full colour."""
    fires = _share(map_hw, most)
    alpha = STRENGTH * np.asarray(Image.fromarray(fires).resize((SIDE, SIDE), Image.Resampling.NEAREST))[..., None]
    return (picture * (1 - alpha) + COLOUR * alpha).round().astype(np.uint8)


def under_maps(pictures: Sequence[np.ndarray], maps_khw: np.ndarray) -> list[np.ndarray]:
    """One feature's pictures, each under its map, on one scale."""
    most = float(maps_khw.max(initial=0))
    return [under_map(picture, map_hw, most) for picture, map_hw in zip(pictures, maps_khw, strict=True)]


def grey(map_hw: np.ndarray, most: float) -> np.ndarray:
    """A feature's map on its own, uint8 [h, w, 3]: black where its activation is 0 or less, white where it is ``most``
    or more."""
    return np.repeat((255 * _share(map_hw, most)[..., None]).round().astype(np.uint8), 3, axis=2)


def _share(map_hw: np.ndarray, most: float) -> np.ndarray:
    """Of the activation ``most``, 0 to 1: float32 [h, w]."""
    return np.clip(map_hw.astype(np.float32) / most, 0, 1) if most > 0 else np.zeros(map_hw.shape, np.float32)


def crossed_out(picture: np.ndarray) -> np.ndarray:
    """A picture uint8 [h, w, 3], faded and under a red cross."""
    faded = Image.fromarray((picture * (1 - FADED) + 255 * FADED).astype(np.uint8))
    draw, (width, height) = ImageDraw.Draw(faded), faded.size
    for ends in ((0, 0, width - 1, height - 1), (0, height - 1, width - 1, 0)):
        draw.line(ends, fill=(190, 0, 0), width=max(1, width // 40))
    return np.asarray(faded)
