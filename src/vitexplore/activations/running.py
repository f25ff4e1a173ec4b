"""What is kept of each feature while its scores pass by: the best images, mean and variance, and a sketch.

All of it is of a fixed size, and what is kept of parts of the data merges to what would be kept of the whole.
"""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from vitexplore.activations import sketch
from vitexplore.errors import InputError
from vitexplore.io import write_atomically

# A score and the position of its image in one whole number that sorts as they do: the higher score first, and of equal
# scores the earlier image. No two are the same, so that the best are the same ones in whatever order parts are merged.
_SHIFT = 1 << 32
_LAST = _SHIFT - 1
_NOTHING = torch.iinfo(torch.int64).min


@dataclass
class Running:
    """Of ``n`` scores of each feature: ``best`` int64 [f, k], best first (see ``scores`` and ``positions``); ``mean``
    float64 [f]; ``squares`` float64 [f], summed deviations from the mean, squared; ``counts`` of ``sketch``."""

    best: Tensor
    n: int
    mean: Tensor
    squares: Tensor
    counts: Tensor

    @classmethod
    def empty(cls, features: int, k: int, device: torch.device | str = "cpu") -> "Running":
        best = torch.full((features, k), _NOTHING, dtype=torch.int64, device=device)
        zeros = torch.zeros(features, dtype=torch.float64, device=device)
        return cls(best, 0, zeros, zeros.clone(), sketch.empty(features, device))

    @property
    def scores(self) -> Tensor:
        """float32 [f, k], best first; NaN in places that no image has taken."""
        return _unordered((self.best >> 32).int())

    @property
    def positions(self) -> Tensor:
        """int64 [f, k]: where the images of ``scores`` come in the data."""
        return _LAST - (self.best & _LAST)

    @property
    def variance(self) -> Tensor:
        """float64 [f], of the scores as a population."""
        return self.squares / self.n

    def add(self, scores_fb: Tensor, first: int) -> None:
        """Take in ``scores_fb`` float32 [f, b], finite, of the images at positions ``first``, ``first + 1``, ..."""
        positions = torch.arange(first, first + scores_fb.shape[1], device=scores_fb.device)
        self._keep(_ordered(scores_fb).long() * _SHIFT + (_LAST - positions))
        variance, mean = torch.var_mean(scores_fb.double(), dim=1, correction=0)
        self._move(scores_fb.shape[1], mean, variance * scores_fb.shape[1])
        sketch.count(self.counts, scores_fb)

    def merge(self, other: "Running") -> None:
        """Take in what is kept of another part. Raises InputError where it has another number of features or places."""
        if other.best.shape != self.best.shape:
            mine, others = tuple(self.best.shape), tuple(other.best.shape)
            raise InputError(f"a part keeps {others} features and images, another {mine}: they are not of one pass")
        self._keep(other.best)
        self._move(other.n, other.mean, other.squares)
        self.counts += other.counts

    def _keep(self, best: Tensor) -> None:
        self.best = torch.cat([self.best, best], dim=1).topk(self.best.shape[1], dim=1).values

    def _move(self, n: int, mean: Tensor, squares: Tensor) -> None:
        """Mean and squares of two parts together (Chan, Golub and LeVeque 1979)."""
        if n:
            total, apart = self.n + n, mean - self.mean
            self.mean = self.mean + apart * (n / total)
            self.squares = self.squares + squares + apart**2 * (self.n * n / total)
            self.n = total

    def save(self, path: Path) -> None:
        arrays = {name: value.cpu().numpy() for name, value in vars(self).items() if name != "n"}
        write_atomically(path, lambda temporary: np.savez_compressed(temporary, n=self.n, **arrays))

    @classmethod
    def load(cls, path: Path) -> "Running":
        """Raises InputError for a file that is cut short or is none of ``save``."""
        try:
            with np.load(path) as stored:
                arrays = {name: torch.from_numpy(stored[name]) for name in stored.files if name != "n"}
                return cls(n=int(stored["n"]), **arrays)
        except (BadZipFile, EOFError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} cannot be read: {error}; delete it and run again") from error


def _ordered(scores: Tensor) -> Tensor:
    """int32 that sort as the float32 ``scores`` do. The bits of positive floats do already; 0.0 makes -0.0 positive."""
    return _flip((scores + 0.0).view(torch.int32))


def _unordered(ordered: Tensor) -> Tensor:
    return _flip(ordered).view(torch.float32)


def _flip(bits: Tensor) -> Tensor:
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)
