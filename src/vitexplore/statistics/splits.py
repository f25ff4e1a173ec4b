"""What measures and claims share: splits of the images, and one rate of false discoveries."""

import numpy as np

GROUPS = 20  # that a jackknife leaves out in turn
FALSE_DISCOVERIES = 0.05  # share of them that is allowed among many features that are tested at once


def halves(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two halves of ``count`` indices, drawn once and for all: choose on one, score on the other. Not by order,
    for images come sorted by class."""
    order = np.random.default_rng(0).permutation(count)
    return np.sort(order[: count // 2]), np.sort(order[count // 2 :])


def groups(count: int) -> list[np.ndarray]:
    """GROUPS parts of ``count`` indices, of one size as nearly as can be, drawn once and for all."""
    return np.array_split(np.random.default_rng(GROUPS).permutation(count), GROUPS)
