"""Accentuation: a feature brought out in an image that is there, which otherwise stays what it shows (Hamblin et al.
2024, "Feature Accentuation: Revealing 'What' Features Respond to in Natural Images")."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, read


@dataclass(frozen=True)
class Near:
    """Keeps images near those that they start from, as the model sees both at ``site``, mostly one before the
    feature's: the loss grows by ``weight``, in units of the objective, times the distance of the activations there.

    The distance is the article's regularizer, the Euclidean norm over channels of f(x) - f(x0), as its library
    averages it over positions; here in units of the same mean of f(x0), so that a blank of activations is at 1. The
    article compares the augmented copies of both, and derives the weight from the first gradients; here the images
    themselves are compared."""

    site: Site
    weight: float

    def bind(self, model: Model, start: Tensor) -> Callable[[Tensor], Tensor]:
        """The function from preprocessed images [f, 3, h, w] to what the loss grows by, [f]; differentiable.
        ``start`` [f, 3, h, w], preprocessed too. Raises InputError for a site that ``model`` lacks."""
        with torch.no_grad():
            seen = read(model, self.site, start).bpc
        unit = _length(seen)
        return lambda images: self.weight * _length(read(model, self.site, images).bpc - seen) / unit


def _length(bpc: Tensor) -> Tensor:
    """Norm over channels, mean over positions: [b]."""
    return torch.linalg.vector_norm(bpc, dim=2).mean(1)
