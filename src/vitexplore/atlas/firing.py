"""What fires at each place of an image."""

from typing import Any

import numpy as np

FIRING = 6  # features of a block that are shown at a position
FAINTEST = 0.15  # share of its most from which on a feature fires


def firing(shares_fhw: np.ndarray) -> dict[str, Any]:
    """The features of a block that fire in an image, from their maps as uint8 shares (see sprites.py). ``grid``: its
    rows and columns. ``at``: for each position, row after row, up to FIRING features that are nearest to their most
    there, best first, each followed by its share in percent; those below FAINTEST are left out."""
    features, rows, columns = shares_fhw.shape
    flat_pf = shares_fhw.reshape(features, -1).T
    best_pk = np.argsort(255 - flat_pf, axis=1, kind="stable")[:, :FIRING]
    percent_pk = (np.take_along_axis(flat_pf, best_pk, axis=1) / 2.55).round().astype(int)
    pairs_pk2 = np.stack([best_pk, percent_pk], axis=2)
    kept = [pairs[pairs[:, 1] >= 100 * FAINTEST] for pairs in pairs_pk2]
    return {"grid": [rows, columns], "at": [pairs.ravel().tolist() for pairs in kept]}
