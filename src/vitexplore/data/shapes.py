"""Silhouettes of the lab's sixteen classes, as parts drawn from polygons.

A shape lives in a frame of its own, x to the right and y downwards, both about -1 to 1. A part is a
polygon and a tone; later parts cover earlier ones.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

TONES = ("body", "dark", "light")


@dataclass(frozen=True)
class Part:
    """One polygon of a shape: ``points`` float ``[n, 2]`` in the shape's frame, ``tone`` of TONES."""

    points: np.ndarray
    tone: str


def _polygon(tone: str, *points: tuple[float, float]) -> Part:
    return Part(np.asarray(points, dtype=np.float64), tone)


def _ellipse(tone: str, x: float, y: float, rx: float, ry: float, corners: int = 18) -> Part:
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return Part(np.stack([x + rx * np.cos(angles), y + ry * np.sin(angles)], axis=1), tone)


def _box(tone: str, left: float, top: float, right: float, bottom: float) -> Part:
    return _polygon(tone, (left, top), (right, top), (right, bottom), (left, bottom))


def _car() -> list[Part]:
    return [
        _polygon("body", (-0.55, -0.1), (-0.3, -0.55), (0.3, -0.55), (0.6, -0.1)),
        _polygon("light", (-0.38, -0.12), (-0.22, -0.42), (0.22, -0.42), (0.42, -0.12)),
        _box("body", -1.0, -0.1, 1.0, 0.35),
        _ellipse("dark", -0.55, 0.38, 0.25, 0.25),
        _ellipse("dark", 0.55, 0.38, 0.25, 0.25),
    ]


def _boat() -> list[Part]:
    return [
        _box("dark", -0.07, -1.0, 0.07, 0.3),
        _polygon("light", (0.12, -0.9), (0.85, 0.15), (0.12, 0.15)),
        _polygon("light", (-0.12, -0.65), (-0.12, 0.15), (-0.65, 0.15)),
        _polygon("body", (-1.0, 0.28), (1.0, 0.28), (0.6, 0.85), (-0.6, 0.85)),
    ]


def _plane() -> list[Part]:
    return [
        _polygon("light", (-0.05, -0.1), (0.35, -0.1), (-0.25, -0.95), (-0.45, -0.95)),
        _polygon("light", (-0.05, 0.1), (0.35, 0.1), (-0.25, 0.95), (-0.45, 0.95)),
        _polygon("light", (-0.95, -0.45), (-0.75, -0.45), (-0.55, 0.0), (-0.75, 0.45), (-0.95, 0.45), (-0.85, 0.0)),
        _ellipse("body", 0.05, 0.0, 0.95, 0.2),
    ]


def _rocket() -> list[Part]:
    return [
        _polygon("dark", (-0.3, 0.25), (-0.75, 0.85), (-0.25, 0.7)),
        _polygon("dark", (0.3, 0.25), (0.75, 0.85), (0.25, 0.7)),
        _polygon("light", (-0.18, 0.68), (0.18, 0.68), (0.0, 1.0)),
        _polygon("body", (0.0, -1.0), (0.3, -0.45), (0.32, 0.7), (-0.32, 0.7), (-0.3, -0.45)),
        _ellipse("light", 0.0, -0.2, 0.16, 0.16),
    ]


def _fish() -> list[Part]:
    return [
        _polygon("dark", (-0.45, 0.0), (-1.0, -0.55), (-0.85, 0.0), (-1.0, 0.55)),
        _polygon("dark", (-0.1, -0.35), (0.3, -0.75), (0.4, -0.25)),
        _ellipse("body", 0.2, 0.0, 0.8, 0.45),
        _ellipse("light", 0.6, -0.1, 0.12, 0.12),
    ]


def _rabbit() -> list[Part]:
    return [
        _ellipse("body", -0.02, -0.72, 0.11, 0.36),
        _ellipse("body", 0.38, -0.72, 0.11, 0.36),
        _ellipse("light", -0.7, 0.3, 0.2, 0.2),
        _ellipse("body", -0.2, 0.45, 0.55, 0.45),
        _ellipse("body", 0.2, -0.15, 0.38, 0.35),
        _ellipse("dark", 0.35, -0.2, 0.08, 0.08),
    ]


def _butterfly() -> list[Part]:
    return [
        _ellipse("body", -0.5, -0.4, 0.48, 0.45),
        _ellipse("body", 0.5, -0.4, 0.48, 0.45),
        _ellipse("light", -0.4, 0.42, 0.36, 0.4),
        _ellipse("light", 0.4, 0.42, 0.36, 0.4),
        _ellipse("dark", 0.0, 0.0, 0.13, 0.75),
    ]


def _snail() -> list[Part]:
    return [
        _polygon("light", (-1.0, 0.65), (-0.7, 0.35), (0.5, 0.35), (0.6, -0.35), (0.9, -0.35), (0.9, 0.65)),
        _box("dark", 0.6, -0.7, 0.68, -0.3),
        _box("dark", 0.84, -0.7, 0.92, -0.3),
        _ellipse("body", -0.15, -0.1, 0.6, 0.58),
        _ellipse("dark", -0.15, -0.05, 0.32, 0.3),
        _ellipse("body", -0.15, -0.02, 0.16, 0.15),
    ]


def _fir() -> list[Part]:
    return [
        _box("dark", -0.14, 0.6, 0.14, 1.0),
        _polygon("body", (0.0, -0.2), (0.8, 0.65), (-0.8, 0.65)),
        _polygon("body", (0.0, -0.6), (0.62, 0.2), (-0.62, 0.2)),
        _polygon("body", (0.0, -1.0), (0.45, -0.3), (-0.45, -0.3)),
    ]


def _flower() -> list[Part]:
    petals = [
        _ellipse("body", 0.42 * np.cos(a), -0.4 + 0.42 * np.sin(a), 0.25, 0.25, 12)
        for a in np.linspace(0, 2 * np.pi, 6, endpoint=False)
    ]
    stem = [_box("dark", -0.06, 0.0, 0.06, 1.0), _polygon("dark", (0.0, 0.75), (0.5, 0.35), (0.42, 0.7))]
    return [*stem, *petals, _ellipse("light", 0.0, -0.4, 0.24, 0.24)]


def _cactus() -> list[Part]:
    return [
        _box("light", -0.4, 0.7, 0.4, 1.0),
        _box("body", -0.8, -0.05, 0.0, 0.22),
        _box("body", -0.8, -0.5, -0.55, 0.22),
        _box("body", 0.0, 0.15, 0.8, 0.42),
        _box("body", 0.55, -0.35, 0.8, 0.42),
        _polygon("body", (-0.22, 0.7), (-0.22, -0.85), (0.0, -1.0), (0.22, -0.85), (0.22, 0.7)),
    ]


def _palm() -> list[Part]:
    fronds = [
        _polygon("body", (0.05, -0.45), (-0.55, -0.85), (-1.0, -0.35), (-0.5, -0.6)),
        _polygon("body", (0.05, -0.45), (0.6, -0.85), (1.0, -0.35), (0.5, -0.6)),
        _polygon("body", (0.05, -0.5), (-0.6, -0.35), (-0.75, 0.2), (-0.35, -0.1)),
        _polygon("body", (0.05, -0.5), (0.65, -0.35), (0.8, 0.2), (0.4, -0.1)),
        _polygon("body", (-0.12, -0.5), (0.0, -1.0), (0.22, -0.5)),
    ]
    return [_polygon("dark", (-0.05, -0.45), (0.15, -0.45), (0.05, 1.0), (-0.3, 1.0)), *fronds]


def _hammer() -> list[Part]:
    return [
        _box("light", -0.12, -0.6, 0.12, 1.0),
        _polygon("body", (-0.75, -1.0), (0.55, -1.0), (0.85, -0.55), (0.55, -0.5), (-0.75, -0.5)),
    ]


def _key() -> list[Part]:
    return [
        _box("body", -0.1, -0.12, 0.98, 0.12),
        _box("dark", 0.5, 0.1, 0.66, 0.48),
        _box("dark", 0.8, 0.1, 0.98, 0.58),
        _ellipse("body", -0.55, 0.0, 0.45, 0.48),
        _ellipse("light", -0.6, 0.0, 0.18, 0.2),
    ]


def _saw() -> list[Part]:
    teeth = []
    for step in range(6):
        x = 0.9 - 0.24 * step
        teeth += [(x, 0.3), (x - 0.12, 0.62)]
    return [
        _polygon("body", (1.0, -0.05), (1.0, 0.3), *teeth, (-0.5, 0.3), (-0.5, -0.42)),
        _polygon("dark", (-0.4, -0.5), (-0.95, -0.5), (-1.0, 0.55), (-0.45, 0.5)),
        _polygon("light", (-0.55, -0.2), (-0.78, -0.2), (-0.8, 0.25), (-0.58, 0.25)),
    ]


def _scissors() -> list[Part]:
    return [
        _polygon("light", (-0.5, -1.0), (-0.25, -0.95), (0.25, 0.35), (0.05, 0.45)),
        _polygon("light", (0.5, -1.0), (0.25, -0.95), (-0.25, 0.35), (-0.05, 0.45)),
        _ellipse("body", -0.38, 0.62, 0.34, 0.36),
        _ellipse("body", 0.38, 0.62, 0.34, 0.36),
        _ellipse("dark", -0.38, 0.64, 0.15, 0.17),
        _ellipse("dark", 0.38, 0.64, 0.15, 0.17),
    ]


_SHAPES = {
    "car": _car,
    "boat": _boat,
    "plane": _plane,
    "rocket": _rocket,
    "fish": _fish,
    "rabbit": _rabbit,
    "butterfly": _butterfly,
    "snail": _snail,
    "fir": _fir,
    "flower": _flower,
    "cactus": _cactus,
    "palm": _palm,
    "hammer": _hammer,
    "key": _key,
    "saw": _saw,
    "scissors": _scissors,
}
CLASSES = tuple(_SHAPES)


@cache
def shape(name: str) -> tuple[Part, ...]:
    """The parts of class ``name``, back to front. Raises KeyError for a class that is not in CLASSES."""
    return tuple(_SHAPES[name]())
