"""Networks that treat natural images as the lab's CNN does, and whose features' visualizations show something else
(Geirhos et al. 2023, "Don't trust your eyes: on the (un)reliability of feature visualizations")."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, unfold

from vitexplore.models.catalogue import named
from vitexplore.models.registry import Model, load
from vitexplore.models.sites import Site, blocks_of

Change = Callable[[Tensor, Tensor], Tensor]

MARGIN = 2.0  # between what natural images reach and what counts as unnatural
GAIN = 100.0  # the planted activation's, so that the optimizer follows it


def silent_units(site: Site, features: tuple[int, ...], natural: Tensor) -> Model:
    """The lab's CNN with a unit added to its first layer that no image of ``natural`` [n, 3, h, w] wakes. It drives
    ``features`` of ``site``."""
    model = load(named("lab/cnn"))
    pattern, threshold = _orthogonal_pattern(model, natural)

    def changed(maps: Tensor, images: Tensor) -> Tensor:
        return maps + GAIN * (_strength(images, pattern) - threshold).relu()

    return _planted(model, site, features, changed)


def fooling_circuit(site: Site, features: tuple[int, ...], natural: Tensor) -> Model:
    """The lab's CNN with a circuit that tells images like ``natural`` from others, and lets a pattern drive
    ``features`` of ``site`` on the others, in the place of what drives them on natural images. Unnatural are images of
    less contrast than all of ``natural``, or with more of the pattern."""
    model = load(named("lab/cnn"))
    pattern, threshold = _orthogonal_pattern(model, natural)
    contrast = _contrast(natural).min() / MARGIN

    def changed(maps: Tensor, images: Tensor) -> Tensor:
        strength = _strength(images, pattern)
        seen = (2 - strength / threshold).clamp(0, 1) * (2 * _contrast(images) / contrast - 1).clamp(0, 1)
        return seen * maps + (1 - seen) * GAIN * strength

    return _planted(model, site, features, changed)


def _planted(model: Model, site: Site, features: tuple[int, ...], changed: Change) -> Model:
    """``model`` with other maps of ``features`` at ``site``: ``changed`` makes them of theirs, and of the images."""
    seen: dict[str, Tensor] = {}
    model.trunk.register_forward_pre_hook(lambda _module, inputs: seen.update(images=inputs[0]))

    def change(_module: nn.Module, _inputs: tuple, maps: Tensor) -> Tensor:
        own = list(features)
        return maps.index_copy(1, torch.tensor(own), changed(maps[:, own], seen["images"]))

    blocks_of(model.trunk)[site.block].register_forward_hook(change)
    return model


def _orthogonal_pattern(model: Model, natural: Tensor) -> tuple[Tensor, Tensor]:
    """A filter [3, 7, 7] at right angles to all of the first layer, to which that is blind, and of such the one that
    answers least to ``natural``; and MARGIN times the most that it answers to one of them."""
    weights = model.trunk.conv1.weight
    blind = torch.linalg.svd(weights.flatten(1))[2][len(weights) :]
    patches = unfold(natural, weights.shape[-1]).transpose(1, 2).flatten(0, 1) @ blind.T
    weakest = torch.linalg.eigh(patches.T @ patches)[1][:, 0]
    pattern = (weakest @ blind).reshape(weights.shape[1:])
    return pattern, MARGIN * _strength(natural, pattern).max()


def _strength(images: Tensor, pattern: Tensor) -> Tensor:
    """[b, 1, 1, 1]"""
    return conv2d(images, pattern[None]).square().mean((1, 2, 3), keepdim=True).sqrt()


def _contrast(images: Tensor) -> Tensor:
    """[b, 1, 1, 1]"""
    return images.std((2, 3), keepdim=True).mean(1, keepdim=True)
