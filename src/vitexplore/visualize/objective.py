"""What is maximised: numbers of a model, one for each feature, each on that feature's own images.

An objective has ``labels`` (integers that name its features, seed their random streams and their files), ``take`` (a
part of its features) and ``bind`` (to a model: a function from images to numbers).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from vitexplore.errors import InputError
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, read

Value = Callable[[Tensor], Tensor]


class Objective(Protocol):
    labels: tuple[int, ...]

    def take(self, part: slice) -> "Objective":
        """The features of ``part`` alone."""

    def bind(self, model: Model) -> Value:
        """A function from preprocessed images [f * k, 3, h, w], k of each feature in turn, to [f, k];
        differentiable. Raises InputError where ``model`` has not what the objective reads."""


@dataclass(frozen=True)
class Channels:
    """Channels of a site: the mean over positions, or one ``position`` of the grid (row-major)."""

    site: Site
    labels: tuple[int, ...]
    position: int | None = None

    def take(self, part: slice) -> "Channels":
        return replace(self, labels=self.labels[part])

    def bind(self, model: Model) -> Value:
        _check_labels(_name(model, self.site), self.labels, _width(model, self.site, self.position))
        pick = _own_column(self.labels, model.device)
        return lambda images: pick(_at(read(model, self.site, images).bpc, self.position))


@dataclass(frozen=True)
class Directions:
    """``directions`` [f, channels] over a site's channels: the scalar product with the mean over positions, or with
    one ``position``."""

    site: Site
    labels: tuple[int, ...]
    directions: Tensor
    position: int | None = None

    def take(self, part: slice) -> "Directions":
        return replace(self, labels=self.labels[part], directions=self.directions[part])

    def bind(self, model: Model) -> Value:
        if (width := _width(model, self.site, self.position)) != self.directions.shape[1]:
            found = self.directions.shape[1]
            raise InputError(f"{_name(model, self.site)} has {width} channels, the directions have {found}")
        fkc = self.directions.to(model.device)[:, None]

        def value(images: Tensor) -> Tensor:
            bc = _at(read(model, self.site, images).bpc, self.position)
            return (bc.unflatten(0, (len(fkc), -1)) * fkc).sum(2)

        return value


@dataclass(frozen=True)
class Logits:
    """Class logits of a classifier, ``labels`` being classes."""

    labels: tuple[int, ...]

    def take(self, part: slice) -> "Logits":
        return replace(self, labels=self.labels[part])

    def bind(self, model: Model) -> Value:
        _check_labels(f"{model.spec.name} logit", self.labels, classes(model))
        pick = _own_column(self.labels, model.device)
        return lambda images: pick(model.module(images))


def classes(model: Model) -> int:
    """How many classes a classifier has. Raises InputError for a model that is none."""
    width = getattr(model.trunk, "num_classes", 0)
    if model.spec.family == "clip" or not width:
        raise InputError(f"{model.spec.name} has no class logits; visualize a site")
    return width


def _width(model: Model, site: Site, position: int | None) -> int:
    """Channels at ``site``. Raises InputError where it or ``position`` does not exist."""
    size = model.spec.input_size
    with torch.no_grad():
        return _at(read(model, site, torch.zeros(1, 3, size, size, device=model.device)).bpc, position).shape[1]


def _name(model: Model, site: Site) -> str:
    return f"{model.spec.name} {site.kind} {site.block}"


def _check_labels(where: str, labels: Sequence[int], width: int) -> None:
    if outside := [label for label in labels if not 0 <= label < width]:
        raise InputError(f"{where} has channels 0 to {width - 1}, not {outside[0]}")


def _at(bpc: Tensor, position: int | None) -> Tensor:
    if position is None:
        return bpc.mean(1)
    if not 0 <= position < bpc.shape[1]:
        raise InputError(f"there are positions 0 to {bpc.shape[1] - 1}, not {position}")
    return bpc[:, position]


def _own_column(labels: Sequence[int], device: torch.device) -> Value:
    """Of each image [f * k, c] its own feature's channel: [f, k]."""
    own = torch.tensor(labels, device=device)[:, None, None]

    def pick(bc: Tensor) -> Tensor:
        fkc = bc.unflatten(0, (len(labels), -1))
        return fkc.gather(2, own.expand(-1, fkc.shape[1], 1))[..., 0]

    return pick
