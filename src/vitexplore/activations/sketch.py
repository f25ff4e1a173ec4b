"""The distribution of each feature's scores: counts in bins that are fixed beforehand, so that the counts of parts of
the data add up to those of the whole, exactly.

The bins are DDSketch's (Masson, Rim and Lee, VLDB 2019): those of each sign grow by a constant factor, and the point
that stands for a bin lies at most ACCURACY, relatively, from everything in it. Magnitudes below SMALLEST count as zero,
those above LARGEST as LARGEST.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

ACCURACY = 0.04  # relative
SMALLEST = 1e-5
BINS = 256  # of each sign

_MAGNITUDES = SMALLEST * ((1 + ACCURACY) / (1 - ACCURACY)) ** np.arange(BINS + 1)
LARGEST = float(_MAGNITUDES[-1])
_LOWER, _UPPER = _MAGNITUDES[:-1], _MAGNITUDES[1:]
_MIDDLES = 2 * _LOWER * _UPPER / (_LOWER + _UPPER)  # as far, relatively, from either edge
_VALUES = np.concatenate([-_MIDDLES[::-1], [0.0], _MIDDLES])


def empty(features: int, device: torch.device | str = "cpu") -> Tensor:
    """Counts int32 [features, 2 * BINS + 1]: from the largest negative magnitude over zero to the largest one."""
    return torch.zeros(features, len(_VALUES), dtype=torch.int32, device=device)


def count(counts: Tensor, scores_fb: Tensor) -> None:
    """Add ``scores_fb`` float32 [f, b] to ``counts`` of ``empty``, in place. NaN counts as positive."""
    bins = torch.bucketize(scores_fb, _edges(scores_fb.device), right=True)
    counts.scatter_add_(1, bins, torch.ones_like(bins, dtype=counts.dtype))


def quantiles(counts: Tensor, levels: Sequence[float]) -> np.ndarray:
    """float64 [features, levels]: of each feature's n scores in order, counted from 0, the one at ``level * (n - 1)``,
    rounded down, known to ACCURACY. Every feature needs a score."""
    below = counts.cpu().cumsum(1, dtype=torch.int32)
    ranks = np.floor(np.multiply.outer(below[:, -1].numpy() - 1, np.asarray(levels)))
    bins = torch.searchsorted(below, torch.from_numpy(ranks).int(), right=True)
    return _VALUES[bins.numpy()]


@cache
def _edges(device: torch.device) -> Tensor:
    return torch.tensor([*-_LOWER[::-1], *_LOWER], dtype=torch.float32, device=device)
