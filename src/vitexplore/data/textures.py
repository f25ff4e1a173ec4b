"""Textures: fields of lightness on objects, and a ground of stones that are as textured."""

import numpy as np

TEXTURES = ("smooth", "shaded", "speckled", "dotted", "checked", "ringed", "woven", "wavy")
PATTERNED = TEXTURES[2:]  # the others do not vary from pixel to pixel
CONTRAST = 0.28  # share of the colour by which a texture lightens or darkens it
STONE = 8.0  # pixels from one stone's middle to the next
HUE = 0.4  # the most by which a stone's red, green and blue each leave the ground's
TONES = (1.0, 0.45, 0.45)  # share of its colour in a stone: body, dark and light, as parts of objects have
WHITE = (0.0, 0.0, 0.55)  # and share of white
TONE_SHARES = (0.6, 0.2, 0.2)


def texture_field(name: str, u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The field of a texture (of TEXTURES), -1 to 1 [h, w], on coordinates in pixels."""
    turn = 2 * np.pi / 4.5
    if name == "smooth":
        return np.zeros_like(u)
    if name == "shaded":
        return np.clip(-v / 14, -1, 1)
    if name == "speckled":
        return rng.choice((-1.0, 1.0), size=u.shape)
    if name == "dotted":
        return np.where(np.cos(turn * u) + np.cos(turn * v) > 0.7, 1.0, -0.35)
    if name == "checked":
        return np.sign(np.sin(turn * u / 1.5) * np.sin(turn * v / 1.5))
    if name == "ringed":
        return np.sin(turn * np.hypot(u, v))
    if name == "woven":
        return np.maximum(np.cos(turn * (u + v)), np.cos(turn * (u - v))) - 0.3
    if name == "wavy":
        return np.sin(turn * (v + 1.8 * np.sin(u / 3)))
    raise KeyError(name)


def stones(ground: np.ndarray, name: str, rng: np.random.Generator) -> np.ndarray:
    """``ground`` [size, size, 3], 0 to 1, laid out in stones: the cells of a jittered grid, each of a colour near the
    ground's, of one of the tones that parts of objects have, and of the texture ``name`` at an object's contrast. The
    numbers above are set so that neither variance nor gradient, brightness and saturation of a patch tell where objects
    are (tests/test_probes.py)."""
    size = len(ground)
    rows, columns = np.mgrid[:size, :size].astype(np.float64)
    middles = np.meshgrid(*2 * [np.arange(0, size + STONE, STONE)])
    y, x = (middle.ravel() + rng.uniform(-STONE / 3, STONE / 3, middle.size) for middle in middles)
    stone = np.hypot(rows - y[:, None, None], columns - x[:, None, None]).argmin(0)
    tone = rng.choice(len(TONES), size=len(y), p=TONE_SHARES)[stone][..., None]
    colour = np.clip(ground + rng.uniform(-HUE, HUE, (len(y), 3))[stone], 0, 1)
    field = texture_field(name, columns - x[stone], rows - y[stone], rng)[..., None]
    return (colour * np.take(TONES, tone) + np.take(WHITE, tone)) * (1 + CONTRAST * field)
