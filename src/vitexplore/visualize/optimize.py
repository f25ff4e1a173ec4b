"""Feature visualization by optimization (paper section 3, equation 1), many features in one batch.

    x* = argmax_x  mean over copies k [ mean over positions f(a_k(x)) - tv * TV(a_k(x)) ]

on images in [0, 1], with a_k = GaussianSmoothing(ColorShift(Jitter(x))), then the model's normalisation.
The paper writes sums where this has means; Adam does not see a common factor. ``tv`` is in units of a mean over
positions and copies: the released code's weight of 0.0005, on an objective that is an eighth of that mean, is
0.004 in these units.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitexplore.errors import InputError
from vitexplore.models.registry import Model
from vitexplore.models.sites import Activations, Site, channels, read
from vitexplore.visualize.augment import Generators, colour_shift, gaussian_smoothing, jitter

log = logging.getLogger(__name__)

Augmentation = Callable[[Tensor, Generators], Tensor]
AUGMENTATIONS: dict[str, Augmentation] = {
    "jitter": jitter,
    "colour_shift": colour_shift,
    "gaussian_smoothing": gaussian_smoothing,
}


@dataclass(frozen=True)
class Recipe:
    """One way of visualizing; the defaults are the paper's augmentations with the released code's settings for a
    ViT. ``tv`` weighs total variation in units of the mean over positions and copies."""

    steps: int = 400
    copies: int = 8
    learning_rate: float = 0.1
    betas: tuple[float, float] = (0.5, 0.99)
    tv: float = 0.004
    augmentations: tuple[str, ...] = ("jitter", "colour_shift", "gaussian_smoothing")


@dataclass(frozen=True)
class Visualization:
    """``images`` float [f, 3, size, size] in [0, 1]; ``loss`` [steps, f]; ``score`` [f]: the feature's mean
    activation on the clean image, which exemplars' scores compare with."""

    images: Tensor
    loss: Tensor
    score: Tensor


def total_variation(images: Tensor) -> Tensor:
    """Sum of the L2 norms over (h, w) of four finite differences (x, y, both diagonals), averaged over
    copies and channels: [f] from [f, k, c, h, w]."""
    right = images[..., :, 1:] - images[..., :, :-1]
    down = images[..., 1:, :] - images[..., :-1, :]
    falling = images[..., 1:, 1:] - images[..., :-1, :-1]
    rising = images[..., 1:, :-1] - images[..., :-1, 1:]
    norms = [torch.linalg.vector_norm(d, dim=(-2, -1)) for d in (right, down, falling, rising)]
    return sum(norms).mean((1, 2))


def visualize(model: Model, site: Site, features: Sequence[int], recipe: Recipe, seed: int) -> Visualization:
    """Visualize ``features`` (channels) of ``site`` together. Each starts from its own uniform noise and
    draws from its own generator, seeded by (seed, channel). Raises InputError for a channel that the site lacks,
    and FloatingPointError, naming the feature, when an image or loss is no longer finite."""
    size, device = model.spec.input_size, model.device
    width = channels(model, site)
    if outside := [feature for feature in features if not 0 <= feature < width]:
        raise InputError(f"{model.spec.name} {site.kind} {site.block} has channels 0 to {width - 1}, not {outside[0]}")
    generators = [torch.Generator().manual_seed(seed * 1_000_003 + feature) for feature in features]
    start = torch.stack([torch.rand(3, size, size, generator=g) for g in generators])
    images = start.to(device).requires_grad_()
    channel = torch.tensor(features, device=device)
    optimizer = torch.optim.Adam([images], recipe.learning_rate, recipe.betas)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
    losses = []
    for _ in range(recipe.steps):
        copies = images[:, None].expand(-1, recipe.copies, -1, -1, -1)
        for name in recipe.augmentations:
            copies = AUGMENTATIONS[name](copies, generators)
        found = read(model, site, normalise(model, copies.flatten(0, 1)))
        activation = _own_channel(found, channel, recipe.copies).mean(1)
        loss = recipe.tv * total_variation(copies) - activation
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            images.clamp_(0, 1)
        losses.append(loss.detach())
    history = torch.stack(losses)
    final = images.detach()
    bad = ~(torch.isfinite(history).all(0) & torch.isfinite(final).flatten(1).all(1))
    if bad.any():
        names = ", ".join(str(features[i]) for i in bad.nonzero()[:, 0].tolist())
        raise FloatingPointError(f"{model.spec.name} {site.kind} {site.block}: not finite for feature {names}")
    return Visualization(final.cpu(), history.cpu(), clean_scores(model, site, features, final).cpu())


@torch.no_grad()
def clean_scores(model: Model, site: Site, features: Sequence[int], images: Tensor) -> Tensor:
    """Mean activation of each feature on its own image, without augmentation: [f] from [f, 3, h, w]."""
    found = read(model, site, normalise(model, images))
    return _own_channel(found, torch.tensor(features, device=images.device), 1).mean(1)


def normalise(model: Model, images: Tensor) -> Tensor:
    """[b, 3, h, w] in [0, 1] to the model's input."""
    mean, std = (images.new_tensor(values)[:, None, None] for values in (model.spec.mean, model.spec.std))
    return (images - mean) / std


def _own_channel(found: Activations, channel: Tensor, copies: int) -> Tensor:
    """Each image's mean over positions of its own feature: [f, copies]."""
    mean_fkc = found.bpc.mean(1).unflatten(0, (len(channel), copies))
    return mean_fkc.gather(2, channel[:, None, None].expand(-1, copies, 1))[..., 0]
