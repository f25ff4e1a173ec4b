"""Augmentations of feature visualization (paper section 3), each drawn from its feature's own generator.

Images are float [f, k, c, h, w]: k copies of each of f features' images. A function takes them with one
generator a feature, so that a feature's picture does not depend on what else is in the batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

JITTER = 1 / 12  # of the side: 32 pixels of 384

Generators = Sequence[torch.Generator]


def jitter(images: Tensor, generators: Generators) -> Tensor:
    """One random circular shift of up to JITTER of the side for each copy, each axis on its own."""
    f, k, _, h, w = images.shape
    limit = round(h * JITTER)
    shifts = torch.stack([torch.randint(-limit, limit + 1, (k, 2), generator=g) for g in generators])
    shifts = shifts.to(images.device)
    rows = (torch.arange(h, device=images.device) - shifts[..., :1]) % h
    columns = (torch.arange(w, device=images.device) - shifts[..., 1:]) % w
    feature = torch.arange(f, device=images.device)[:, None, None, None]
    copy = torch.arange(k, device=images.device)[None, :, None, None]
    moved = images.permute(0, 1, 3, 4, 2)[feature, copy, rows[..., :, None], columns[..., None, :]]
    return moved.permute(0, 1, 4, 2, 3)


def colour_shift(images: Tensor, generators: Generators) -> Tensor:
    """``sigma * x + mu`` with mu ~ U(-1, 1) and sigma ~ exp(U(-1, 1)) for each copy and channel."""
    _, k, c, _, _ = images.shape
    drawn = torch.stack([2 * torch.rand(2, k, c, 1, 1, generator=g) - 1 for g in generators]).to(images.device)
    return drawn[:, 0].exp() * images + drawn[:, 1]


def gaussian_smoothing(images: Tensor, generators: Generators) -> Tensor:
    """``x + eps`` with eps ~ N(0, 1) for each pixel."""
    noise = torch.stack([torch.randn(images.shape[1:], generator=g) for g in generators])
    return images + noise.to(images.device)
