"""Simple things that a picture is made of, told from its pixels alone: hue and orientation (paper section 3: features
of early blocks show colours, edges and textures)."""

import numpy as np
from PIL import Image

HUES, ORIENTATIONS = 8, 8  # sectors: of the whole circle, and of the half that orientations have


def hue(picture: Image.Image) -> str:
    """The sector of the mean hue of an RGB picture, each pixel weighed by its colourfulness: ``hue 0`` is red."""
    pixels = np.asarray(picture, dtype=np.float64) / 255
    # the plane of hues: red lies on its first axis (the two chroma axes of Smith 1978, hexcone model, as a circle)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    across, up = (red - (green + blue) / 2).mean(), (np.sqrt(3) / 2 * (green - blue)).mean()
    return f"hue {_sector(np.arctan2(up, across), 2 * np.pi, HUES)}"


def orientation(picture: Image.Image) -> str:
    """The sector of the orientation in which the lightness of an RGB picture varies most, by its structure tensor
    (Bigun and Granlund 1987): ``orientation 0`` varies from left to right, as upright stripes do."""
    lightness = np.asarray(picture.convert("L"), dtype=np.float64)
    down, right = np.gradient(lightness)
    angle = np.arctan2(2 * (down * right).sum(), (right**2 - down**2).sum()) / 2
    return f"orientation {_sector(angle, np.pi, ORIENTATIONS)}"


def _sector(angle: float, whole: float, sectors: int) -> int:
    """Which of the sectors of ``whole``, the first of which lies around 0, holds ``angle``; in degrees."""
    number = round(angle / whole * sectors) % sectors
    return round(number * np.degrees(whole) / sectors)
