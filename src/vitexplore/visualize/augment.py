"""Augmentations of feature visualization (paper section 3), each drawn from its feature's own generator.

Images are float [f, k, c, h, w]: k copies of each of f features' images. A function takes them with one
generator a feature, on the images' device, so that a feature's picture does not depend on what else is in the
batch, and with the progress of the run, 0 at the first step and near 1 at the last.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

JITTER = 1 / 12  # of the side: 32 pixels of 384
OFFSET = 0.5  # the released code's standard deviation at the first step

Generators = Sequence[torch.Generator]
Progress = float | Tensor  # a tensor where a GPU replays a recorded step
Augmentation = Callable[[Tensor, Generators, Progress], Tensor]


def jitter(images: Tensor, generators: Generators, progress: Progress) -> Tensor:
    """One random circular shift of up to JITTER of the side for each copy, each axis on its own (paper)."""
    return _shift(images, generators, images.shape[1])


def shared_jitter(images: Tensor, generators: Generators, progress: Progress) -> Tensor:
    """One random circular shift for all copies of a feature (released code)."""
    return _shift(images, generators, 1)


def colour_shift(images: Tensor, generators: Generators, progress: Progress) -> Tensor:
    """``sigma * x + mu`` with mu ~ U(-1, 1) and sigma ~ exp(U(-1, 1)) for each copy and channel (paper)."""
    mu, sigma = _colours(images, generators)
    return sigma * images + mu


def inverse_colour_shift(images: Tensor, generators: Generators, progress: Progress) -> Tensor:
    """``(x - mu) / sigma``, mu and sigma drawn as for ``colour_shift`` (released code)."""
    mu, sigma = _colours(images, generators)
    return (images - mu) / sigma


def gaussian_smoothing(images: Tensor, generators: Generators, progress: Progress) -> Tensor:
    """``x + eps`` with eps ~ N(0, 1) for each pixel (paper)."""
    return images + _draw(torch.randn, images.shape[1:], images, generators)


def gaussian_offset(images: Tensor, generators: Generators, progress: Progress) -> Tensor:
    """``x + eps`` with one eps for each copy and channel, its standard deviation falling from OFFSET to 0 over the
    run (released code, whose counter wraps for the last 2 of its 401 steps: that wrap is left out)."""
    k, c = images.shape[1:3]
    return images + OFFSET * (1 - progress) * _draw(torch.randn, (k, c, 1, 1), images, generators)


AUGMENTATIONS: dict[str, Augmentation] = {
    function.__name__: function
    for function in (jitter, shared_jitter, colour_shift, inverse_colour_shift, gaussian_smoothing, gaussian_offset)
}


def _draw(kind: Callable[..., Tensor], shape: Sequence[int], like: Tensor, generators: Generators) -> Tensor:
    """[f, *shape], each feature's part from its own generator."""
    return torch.stack([kind(*shape, generator=generator, device=like.device) for generator in generators])


def _colours(images: Tensor, generators: Generators) -> tuple[Tensor, Tensor]:
    k, c = images.shape[1:3]
    drawn = 2 * _draw(torch.rand, (2, k, c, 1, 1), images, generators) - 1
    return drawn[:, 0], drawn[:, 1].exp()


def _shift(images: Tensor, generators: Generators, copies: int) -> Tensor:
    """Roll each copy by its own shift; ``copies`` is 1 where one shift is for all."""
    f, k, _, h, w = images.shape
    unit = _draw(torch.rand, (2, copies), images, generators)
    down, right = (
        (torch.floor(unit[:, axis] * (2 * limit + 1)).long() - limit).expand(f, k)
        for axis, limit in enumerate((round(h * JITTER), round(w * JITTER)))
    )
    return _Roll.apply(images, down, right)


class _Roll(torch.autograd.Function):
    """Circular shift of each image of [f, k, c, h, w] by its own ``down`` and ``right`` [f, k]. Its gradient is the
    shift back, a plain read, where indexing would add up into a buffer."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, down: Tensor, right: Tensor) -> Tensor:
        ctx.save_for_backward(down, right)
        return _rolled(images, down, right)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        down, right = ctx.saved_tensors
        return _rolled(grad, -down, -right), None, None


def _rolled(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    f, k, c, h, w = images.shape
    rows = (torch.arange(h, device=images.device) - down[..., None]) % h
    columns = (torch.arange(w, device=images.device) - right[..., None]) % w
    source = (rows[..., :, None] * w + columns[..., None, :]).flatten(2)[:, :, None]
    return images.flatten(3).gather(3, source.expand(-1, -1, c, -1)).view(f, k, c, h, w)
