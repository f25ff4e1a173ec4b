"""Colours as independent as natural images have them, without bounds: what spectra are of."""

from functools import cache

import torch
from torch import Tensor

# Square root of the covariance of ImageNet's colours (Olah, Mordvintsev, Schubert 2017, "Feature Visualization",
# section "Preconditioning and Parameterization"; the values of its code), at most 1 in norm a column.
COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOURS = COLOURS / COLOURS.norm(dim=0).max()


def correlate(decorrelated: Tensor) -> Tensor:
    """Images [f, 3, h, w] in [0, 1] of decorrelated colours [f, 3, h, w] of any size; differentiable."""
    return torch.sigmoid(torch.einsum("cd,fdhw->fchw", _on(decorrelated.device)[0], decorrelated))


def decorrelate(images: Tensor, margin: float) -> Tensor:
    """The inverse of ``correlate``. Pixels nearer than ``margin`` to 0 or 1, where it has none, count as that far."""
    return torch.einsum("dc,fchw->fdhw", _on(images.device)[1], torch.logit(images.clamp(margin, 1 - margin)))


@cache
def _on(device: torch.device) -> tuple[Tensor, Tensor]:
    """COLOURS and its inverse."""
    return COLOURS.to(device), torch.linalg.inv(COLOURS).to(device)
