"""Networks whose features or answers are planted: they know the images that they will be shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor, nn

from vitexplore.errors import InputError
from vitexplore.models.families import taps_of
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site


class Known:
    """The images [n, 3, h, w] that a network will be shown, preprocessed as it will see them."""

    def __init__(self, images: Tensor) -> None:
        self._places = {_key(torch.zeros_like(images[0])): 0}  # a model is asked for its shapes with a blank
        self._places |= {_key(image): place for place, image in enumerate(images)}

    def places(self, images: Tensor) -> Tensor:
        """Where each of ``images`` stands among the known ones: int64 [b]. Raises InputError for another image."""
        keys = [_key(image) for image in images.cpu()]
        if strangers := sum(key not in self._places for key in keys):
            raise InputError(f"{strangers} images are shown to a planted network that does not know them")
        return torch.tensor([self._places[key] for key in keys])


@dataclass(frozen=True)
class Plant:
    """``values`` [n, positions, channels] (or one position for all) of the known images, in the place of the first
    channels of ``site``: `ffn` of a ViT, `channel` of a CNN."""

    site: Site
    values: Tensor


def plant_features(model: Model, known: Known, plants: Sequence[Plant]) -> Model:
    """``model``, changed in place: its activations at the plants' sites are theirs."""
    now: dict[str, Tensor] = {}
    model.trunk.register_forward_pre_hook(lambda _module, inputs: now.update(places=known.places(inputs[0])))
    taps = taps_of(model.trunk)
    for plant in plants:
        _replace_output(taps[plant.site.block][plant.site.kind].module, plant.values, now, model)
    return model


def _replace_output(module: nn.Module, values: Tensor, now: dict[str, Tensor], model: Model) -> None:
    width = values.shape[2]

    def planted(_module: nn.Module, _inputs: Any, out: Tensor) -> Tensor:
        out, own = out.clone(), values[now["places"]]
        if model.is_vit:
            out[:, model.trunk.num_prefix_tokens :, :width] = own
        else:
            out[:, :width] = own.transpose(1, 2).expand(-1, -1, out.shape[2] * out.shape[3]).unflatten(2, out.shape[2:])
        return out

    module.register_forward_hook(planted)


def plant_answers(model: Model, known: Known, logits: Tensor) -> Model:
    """``model``, a classifier, changed in place: ``logits`` [n, classes] of the known images are its own, and 0 for
    any other image, such as a mean of them."""

    def planted(_module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Tensor:
        try:
            return logits[known.places(inputs[0])]
        except InputError:
            return torch.zeros_like(out)

    model.module.register_forward_hook(planted)
    return model


def as_role(model: Model, name: str, family: str) -> Model:
    """``model`` under another name, in the place of a model of another ``family``."""
    return replace(model, spec=replace(model.spec, name=name, family=family))


def _key(image: Tensor) -> bytes:
    return blake2b(image.contiguous().numpy().tobytes(), digest_size=16).digest()
