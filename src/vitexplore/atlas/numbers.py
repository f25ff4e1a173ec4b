"""Numbers as pages show them."""

from collections.abc import Iterable

import numpy as np


def short(value: float) -> float | None:
    """Four digits; None for what is not finite, which JSON does not know."""
    return float(f"{value:.4g}") if np.isfinite(value) else None


def shorts(values: Iterable[float]) -> list[float | None]:
    return [short(value) for value in values]
