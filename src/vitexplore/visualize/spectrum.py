"""The mean magnitude spectrum of natural images, which MACO holds its images to.

A magnitude is float [3, side, side // 2 + 1]: that of ``torch.fft.rfft2`` for each decorrelated colour (see
colours.py). One of photographs is shipped, with its record as JSON; `vitexplore spectrum` makes both.
"""

from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from vitexplore.visualize.colours import decorrelate

SHIPPED = Path(__file__).with_name("natural_spectrum.safetensors")
MARGIN = 0.02  # of pixels to 0 and 1: how far beyond it a clipped pixel was, nobody knows, and few would rule the mean


def frequencies(side: int, device: torch.device | str = "cpu") -> Tensor:
    """Radial frequency in cycles a pixel of each entry of a real transform: [side, side // 2 + 1]."""
    return torch.hypot(torch.fft.fftfreq(side, device=device)[:, None], torch.fft.rfftfreq(side, device=device)[None])


def natural_magnitude(images: Tensor) -> Tensor:
    """Mean magnitude of ``images`` [n, 3, side, side] in [0, 1]: [3, side, side // 2 + 1]."""
    return torch.fft.rfft2(decorrelate(images, MARGIN)).abs().mean(0)


def pixel_variance(magnitude: Tensor) -> Tensor:
    """Variance over the pixels of an image of ``magnitude`` [3, side, side // 2 + 1], whatever its phases: [3]."""
    side = magnitude.shape[1]
    pairs = torch.full_like(magnitude, 2)  # a real transform keeps one of each pair of conjugates,
    pairs[..., 0] = 1  # but both in these columns
    if side % 2 == 0:
        pairs[..., -1] = 1
    pairs[:, 0, 0] = 0  # the mean
    return (pairs * magnitude**2).sum((1, 2)) / side**4


def resampled(magnitude: Tensor, side: int) -> Tensor:
    """``magnitude`` [3, s, s // 2 + 1] for images of another ``side``: [3, side, side // 2 + 1]. Each frequency in
    cycles a pixel keeps its share, for natural images look alike at all scales (Field 1987, "Relations between the
    statistics of natural images and the response properties of cortical cells"); mean and variance of the pixels stay.
    Between frequencies it is magnitude times radial frequency, nearly flat, that is interpolated."""
    own = magnitude.shape[1]
    flat = magnitude * frequencies(own)
    flat[:, 0, 0] = (flat[:, 0, 1] + flat[:, 1, 0]) / 2  # the mean has no scale; its neighbours below one cycle do
    flat = torch.cat([flat, flat[:, :1]], dim=1)  # rows are periodic
    flat = _between(flat, own * torch.fft.fftfreq(side) % own, dim=1)
    flat = _between(flat, (own * torch.fft.rfftfreq(side)).clamp_max(own // 2), dim=2)
    found = flat / frequencies(side).clamp_min(1 / side)
    found *= (pixel_variance(magnitude) / pixel_variance(found)).sqrt()[:, None, None]
    found[:, 0, 0] = magnitude[:, 0, 0] * (side / own) ** 2
    return found


@cache
def shipped(side: int, device: torch.device) -> Tensor:
    """The magnitude of the shipped photographs at ``side``: [3, side, side // 2 + 1]."""
    kept = load_file(SHIPPED)["magnitude"].float()
    return resampled(kept * kept.shape[1], side).to(device)


def _between(values: Tensor, places: Tensor, dim: int) -> Tensor:
    """``values`` at fractional ``places`` along ``dim``, linearly."""
    low, high = (values.index_select(dim, place.long()) for place in (places.floor(), places.ceil()))
    shape = [-1 if axis == dim else 1 for axis in range(values.ndim)]
    return torch.lerp(low, high, places.frac().view(shape))
