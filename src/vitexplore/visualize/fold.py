"""The same frozen CNN, faster: batch normalisation is a part of the convolutions before it, channels lie last."""

import copy
import logging
from dataclasses import replace
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_weights

from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, read_many, sites

log = logging.getLogger(__name__)

_FASTER: WeakKeyDictionary[nn.Module, nn.Module] = WeakKeyDictionary()  # by the module that it stands for


def faster(model: Model) -> Model:
    """A CNN with its batch normalisations folded and its weights laid out channels last; transformers and CLIPs as they
    are. A CNN that would yield something else at any site keeps its normalisations."""
    if model.is_vit or model.trunk is not model.module:
        return model
    if model.module not in _FASTER:
        size = model.spec.input_size
        noise = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0)).to(model.device)
        twin = replace(model, module=folded(model.module, noise))
        if not _same(model, twin, noise):
            log.info("%s: a folded normalisation would change a site; none is folded", model.spec.name)
            twin = replace(model, module=copy.deepcopy(model.module))
        _FASTER[model.module] = twin.module.to(memory_format=torch.channels_last)
    return replace(model, module=_FASTER[model.module])


@torch.no_grad()
def folded(module: nn.Module, image: Tensor) -> nn.Module:
    """A copy of ``module``, in evaluation mode, in which each batch normalisation that reads what a convolution yields
    is a part of that convolution. ``image`` [1, 3, h, w]: one pass over it tells which do."""
    twin = copy.deepcopy(module)
    names = {part: name for name, part in twin.named_modules()}
    for convolution, norm in _pairs(twin, image):
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        twin.set_submodule(names[norm], getattr(norm, "act", nn.Identity()))  # timm's norms activate too
    return twin.requires_grad_(False)


@torch.no_grad()
def _same(model: Model, twin: Model, image: Tensor) -> bool:
    """Whether both have the same activations at every site, up to rounding."""
    wanted = [Site(kind, block) for kind, blocks in sites(model).items() for block in range(blocks)]
    one, other = (read_many(each, wanted, image, lambda _site, found: found.bpc) for each in (model, twin))
    return all((one[site] - other[site]).norm() <= 1e-3 * one[site].norm() for site in wanted)


def _pairs(module: nn.Module, image: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions with the batch normalisation that reads their output, where each runs once."""
    convolutions: dict[int, nn.Conv2d] = {}  # by the identity of what they yield
    alive: list[Tensor] = []  # so that no other tensor gets the same
    pairs, runs = [], []

    def after(part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        runs.append(part)
        if isinstance(part, nn.Conv2d):
            convolutions[id(output)] = part
            alive.append(output)
        elif id(inputs[0]) in convolutions:
            pairs.append((convolutions[id(inputs[0])], part))

    parts = [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.BatchNorm2d)]
    handles = [part.register_forward_hook(after) for part in parts]
    module(image)
    for handle in handles:
        handle.remove()
    return [(convolution, norm) for convolution, norm in pairs if runs.count(convolution) == runs.count(norm) == 1]
