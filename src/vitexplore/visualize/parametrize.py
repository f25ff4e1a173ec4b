"""What is optimized: numbers of which an image in [0, 1] is made.

A parametrization draws where to start, or starts from images; makes images [f, 3, h, w] of its parameters [f, ...]; and
puts the parameters back where they must be after a step. Fourier and MACO work on decorrelated colours.
"""

from dataclasses import dataclass
from math import pi
from typing import Protocol

import torch
from torch import Tensor

from vitexplore.visualize.augment import Generators
from vitexplore.visualize.colours import correlate, decorrelate
from vitexplore.visualize.spectrum import frequencies, shipped

MARGIN = 1 / 512  # half a step of 8 bits: black and white stay so when written, and have a finite logit


class Parametrization(Protocol):
    def start(self, generators: Generators, side: int) -> Tensor:
        """Parameters [f, ...] to start from, each feature's from its own generator."""

    def of(self, images: Tensor) -> "tuple[Parametrization, Tensor]":
        """The parametrization and the parameters [f, ...] that make ``images`` [f, 3, side, side] in [0, 1]; Fourier
        and MACO up to MARGIN."""

    def images(self, parameters: Tensor) -> Tensor:
        """[f, 3, side, side] in [0, 1]; differentiable."""

    def project_(self, parameters: Tensor) -> None:
        """Put ``parameters`` back into their range, in place."""


class Pixels:
    """The image itself, from uniform noise, clamped after each step (the paper and its code)."""

    def start(self, generators: Generators, side: int) -> Tensor:
        return torch.stack([torch.rand(3, side, side, generator=g, device=g.device) for g in generators])

    def of(self, images: Tensor) -> "tuple[Pixels, Tensor]":
        return self, images.clone()

    def images(self, parameters: Tensor) -> Tensor:
        return parameters

    def project_(self, parameters: Tensor) -> None:
        parameters.clamp_(0, 1)


class Fourier:
    """The spectrum, each frequency weighed by 1/f, so that a step moves all scales alike (Olah et al. 2017)."""

    def start(self, generators: Generators, side: int) -> Tensor:
        shape = (3, side, side // 2 + 1, 2)
        return torch.stack([0.01 * torch.randn(shape, generator=g, device=g.device) for g in generators])

    def of(self, images: Tensor) -> "tuple[Fourier, Tensor]":
        spectrum = torch.fft.rfft2(decorrelate(images, MARGIN))
        return self, torch.view_as_real(spectrum / _weight(images.shape[2], images.device))

    def images(self, parameters: Tensor) -> Tensor:
        side = parameters.shape[2]
        spectrum = torch.view_as_complex(parameters) * _weight(side, parameters.device)
        return correlate(torch.fft.irfft2(spectrum, s=(side, side)))

    def project_(self, parameters: Tensor) -> None:
        """Any spectrum will do."""


@dataclass(frozen=True)
class Maco:
    """The phases; each frequency's magnitude stays as it is (Fel et al. 2023, "Unlocking Feature Visualization for
    Deeper Networks with MAgnitude Constrained Optimization", section 3). ``magnitude`` [3, side, side // 2 + 1], or
    [f, ...] with one for each feature: the mean of natural images if left out (see spectrum.py), its own for an image
    to start from, as Hamblin et al. (2024, "Feature Accentuation") have it. The article normalises phases and pixels
    in each step; here the magnitude is in units of pixels, and nothing is."""

    magnitude: Tensor | None = None

    def start(self, generators: Generators, side: int) -> Tensor:
        shape = (3, side, side // 2 + 1)
        return torch.stack([2 * pi * torch.rand(shape, generator=g, device=g.device) for g in generators])

    def of(self, images: Tensor) -> "tuple[Maco, Tensor]":
        spectrum = torch.fft.rfft2(decorrelate(images, MARGIN))
        return Maco(spectrum.abs()), spectrum.angle()

    def images(self, parameters: Tensor) -> Tensor:
        side = parameters.shape[2]
        magnitude = shipped(side, parameters.device) if self.magnitude is None else self.magnitude
        spectrum = torch.polar(magnitude.expand_as(parameters).contiguous(), _paired(parameters))
        return correlate(torch.fft.irfft2(spectrum, s=(side, side)))

    def project_(self, parameters: Tensor) -> None:
        """Any phase will do."""


PARAMETRIZATIONS: dict[str, type[Parametrization]] = {"pixels": Pixels, "fourier": Fourier, "maco": Maco}


def _weight(side: int, device: torch.device) -> Tensor:
    """What a parameter of Fourier weighs in the spectrum: [side, side // 2 + 1]."""
    return side / frequencies(side, device).clamp_min(1 / side) / 4


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
