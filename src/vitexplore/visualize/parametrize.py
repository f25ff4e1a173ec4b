"""What is optimized: numbers of which an image in [0, 1] is made.

A parametrization draws where to start, makes images [f, 3, h, w] of its parameters [f, ...], and puts the parameters
back where they must be after a step. Fourier and MACO work on decorrelated colours and pass through a sigmoid.
"""

from dataclasses import dataclass
from functools import cache
from math import pi
from typing import Protocol

import torch
from torch import Tensor

from vitexplore.visualize.augment import Generators

# Square root of the covariance of ImageNet's colours (Olah, Mordvintsev, Schubert 2017, "Feature Visualization",
# section "Preconditioning and Parameterization"; the values of its code), at most 1 in norm a column.
COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOURS = COLOURS / COLOURS.norm(dim=0).max()


class Parametrization(Protocol):
    def start(self, generators: Generators, side: int) -> Tensor:
        """Parameters [f, ...] to start from, each feature's from its own generator."""

    def images(self, parameters: Tensor) -> Tensor:
        """[f, 3, side, side] in [0, 1]; differentiable."""

    def project_(self, parameters: Tensor) -> None:
        """Put ``parameters`` back into their range, in place."""


class Pixels:
    """The image itself, from uniform noise, clamped after each step (the paper and its code)."""

    def start(self, generators: Generators, side: int) -> Tensor:
        return torch.stack([torch.rand(3, side, side, generator=g, device=g.device) for g in generators])

    def images(self, parameters: Tensor) -> Tensor:
        return parameters

    def project_(self, parameters: Tensor) -> None:
        parameters.clamp_(0, 1)


class Fourier:
    """The spectrum, each frequency weighed by 1/f, so that a step moves all scales alike (Olah et al. 2017)."""

    def start(self, generators: Generators, side: int) -> Tensor:
        shape = (3, side, side // 2 + 1, 2)
        return torch.stack([0.01 * torch.randn(shape, generator=g, device=g.device) for g in generators])

    def images(self, parameters: Tensor) -> Tensor:
        side = parameters.shape[2]
        weight = side / frequencies(side, parameters.device).clamp_min(1 / side)
        return _to_colours(torch.fft.irfft2(torch.view_as_complex(parameters) * weight, s=(side, side)) / 4)

    def project_(self, parameters: Tensor) -> None:
        """Any spectrum will do."""


@dataclass(frozen=True)
class Maco:
    """The phases; each frequency's magnitude stays a natural image's (Fel et al. 2023, "Unlocking Feature
    Visualization for Deeper Networks with MAgnitude Constrained Optimization", section 3). ``magnitude``
    [3, side, side // 2 + 1] is ``natural_magnitude`` of some images; without it 1/f, as natural images fall off
    (Field 1987)."""

    magnitude: Tensor | None = None

    def start(self, generators: Generators, side: int) -> Tensor:
        shape = (3, side, side // 2 + 1)
        return torch.stack([2 * pi * torch.rand(shape, generator=g, device=g.device) for g in generators])

    def images(self, parameters: Tensor) -> Tensor:
        side = parameters.shape[2]
        magnitude = self.magnitude
        if magnitude is None:
            magnitude = _unit_variance(1 / frequencies(side, parameters.device).clamp_min(1 / side), side)
        magnitude = magnitude.to(parameters.device)
        spectrum = torch.polar(magnitude.expand_as(parameters).contiguous(), _paired(parameters))
        return _to_colours(torch.fft.irfft2(spectrum, s=(side, side)))

    def project_(self, parameters: Tensor) -> None:
        """Any phase will do."""


PARAMETRIZATIONS: dict[str, type[Parametrization]] = {"pixels": Pixels, "fourier": Fourier, "maco": Maco}


def frequencies(side: int, device: torch.device | str = "cpu") -> Tensor:
    """Radial frequency in cycles a pixel of each entry of a real transform: [side, side // 2 + 1]."""
    return torch.hypot(torch.fft.fftfreq(side, device=device)[:, None], torch.fft.rfftfreq(side, device=device)[None])


def natural_magnitude(images: Tensor) -> Tensor:
    """Mean magnitude spectrum of ``images`` [n, 3, side, side] in [0, 1], in the space that MACO optimizes in:
    [3, side, side // 2 + 1]."""
    logits = torch.logit(images.clamp(0.02, 0.98))
    decorrelated = torch.einsum("dc,nchw->ndhw", torch.linalg.inv(COLOURS), logits)
    return torch.fft.rfft2(decorrelated).abs().mean(0)


def _unit_variance(magnitude: Tensor, side: int) -> Tensor:
    """Scaled so that an image of this magnitude has a pixel variance of 1 about a mean of 0."""
    magnitude = magnitude.clone()
    magnitude[0, 0] = 0
    twice = torch.full_like(magnitude, 2.0)  # a real transform keeps one of each pair of conjugates,
    twice[:, 0] = 1
    if side % 2 == 0:
        twice[:, -1] = 1
    return magnitude * side**2 / (twice * magnitude**2).sum().sqrt()


def _paired(phase: Tensor) -> Tensor:
    """The first and the last column of a real transform hold both of a pair of conjugates: the second of them takes
    minus the first's phase. Left to itself it would cancel a part of the first's magnitude. A frequency that is its
    own conjugate, as the mean is, keeps the cosine of its phase."""
    side, width = phase.shape[-2:]
    second = torch.zeros(side, width, dtype=torch.bool, device=phase.device)
    second[side // 2 + 1 :, 0] = True
    if side % 2 == 0:
        second[side // 2 + 1 :, -1] = True
    first = -torch.arange(side, device=phase.device) % side
    return torch.where(second, -phase[..., first, :], phase)


def _to_colours(decorrelated: Tensor) -> Tensor:
    return torch.sigmoid(torch.einsum("cd,fdhw->fchw", _colours(decorrelated.device), decorrelated))


@cache
def _colours(device: torch.device) -> Tensor:
    return COLOURS.to(device)
