"""The same frozen CNN, faster: batch normalisation is a part of the convolutions before it, channels lie last."""

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_weights

from vitexplore.models.registry import Model


def faster(model: Model) -> Model:
    """A CNN with its batch normalisations folded and its weights laid out channels last; transformers and CLIPs as they
    are."""
    if model.is_vit or model.trunk is not model.module:
        return model
    size = model.spec.input_size
    module = folded(model.module, torch.zeros(1, 3, size, size, device=model.device))
    return replace(model, module=copy.deepcopy(module).to(memory_format=torch.channels_last))


def folded(module: nn.Module, image: Tensor) -> nn.Module:
    """A copy of ``module``, in evaluation mode, in which each batch normalisation that reads what a convolution yields
    is a part of that convolution. ``image`` [1, 3, h, w]: one pass over it tells which do. A module without any comes
    back as it is. Raises RuntimeError where the copy yields something else."""
    if not any(isinstance(part, nn.BatchNorm2d) for part in module.modules()):
        return module
    twin = copy.deepcopy(module)
    names = {part: name for name, part in twin.named_modules()}
    for convolution, norm in _pairs(twin, image):
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        twin.set_submodule(names[norm], getattr(norm, "act", nn.Identity()))  # timm's norms activate too
    twin.requires_grad_(False)
    with torch.no_grad():
        before, after = module(image), twin(image)
    if (before - after).norm() > 1e-3 * before.norm():
        raise RuntimeError(f"{type(module).__name__} is another function once its normalisations are folded")
    return twin


@torch.no_grad()
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
