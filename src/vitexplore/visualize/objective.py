"""What is maximised: numbers of a model, one for each feature, each on that feature's own images.

An objective says which sites it reads, and makes its value from their activations. Objectives add up:
``0.2 * channel(13, 4) + 0.8 * channel(13, 9) - logit(207)`` is one objective, and its terms share one pass through the
model (as the objectives of Olah, Mordvintsev and Schubert 2017 do in their library).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vitexplore.errors import InputError
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, read_many, read_with_output, shapes

LOGITS = Site("logit", 0)  # a classifier's output, read like a site of one position whose channels are the classes

Maps = dict[Site, Tensor]  # activations [f, k, p, c] of each site: k images of each feature
Sizes = dict[Site, tuple[int, int]]  # positions and channels of each site
Value = Callable[[Tensor], Tensor]


class Objective(ABC):
    """``labels``: integers that name its features, seed their random streams and their files. ``sites``: what it
    reads. ``joint``: whether a feature's value depends on the other features' images, so that no batch may part
    them."""

    labels: tuple[int, ...]
    sites: tuple[Site, ...]
    joint: bool = False

    @abstractmethod
    def take(self, part: slice) -> "Objective":
        """The features of ``part`` alone."""

    @abstractmethod
    def prepare(self, model: Model, sizes: Sizes) -> Callable[[Maps], Tensor]:
        """The function from the maps of ``sites`` to the values [f, k]; differentiable. An objective of one feature
        takes maps of any number of features and values them all alike. Raises InputError where ``sizes`` have not
        what it reads."""

    def bind(self, model: Model, leak: float = 0.0) -> Value:
        """The function from preprocessed images [f * k, 3, h, w], k of each feature in turn, to [f, k];
        differentiable, in one pass that ends at the deepest site, with ``leak`` as in `read_many`. Raises InputError
        where ``model`` has not what the objective reads."""
        value, count = self.prepare(model, _sizes(model, self.sites)), len(self.labels)

        def of_images(images: Tensor) -> Tensor:
            maps = _activations(model, self.sites, images, leak)
            return value({site: bpc.unflatten(0, (count, -1)) for site, bpc in maps.items()})

        return of_images

    def __add__(self, other: "Objective") -> "Combined":
        if not isinstance(other, Objective):
            return NotImplemented
        (weights, terms), (more_weights, more_terms) = _weighted_terms(self), _weighted_terms(other)
        return Combined(weights + more_weights, terms + more_terms)

    def __radd__(self, other: object) -> "Objective":
        return self if other == 0 else NotImplemented  # `sum` begins with 0

    def __mul__(self, factor: float) -> "Combined":
        if not isinstance(factor, int | float):
            return NotImplemented
        weights, terms = _weighted_terms(self)
        return Combined(tuple(factor * weight for weight in weights), terms)

    __rmul__ = __mul__

    def __neg__(self) -> "Combined":
        return -1 * self

    def __sub__(self, other: "Objective") -> "Combined":
        if not isinstance(other, Objective):
            return NotImplemented
        return self + -other


@dataclass(frozen=True)
class Channels(Objective):
    """Channels of a site: the mean over positions, or one ``position`` of the grid (row-major)."""

    site: Site
    labels: tuple[int, ...]
    position: int | None = None

    @property
    def sites(self) -> tuple[Site]:
        return (self.site,)

    def take(self, part: slice) -> "Channels":
        return replace(self, labels=self.labels[part])

    def prepare(self, model: Model, sizes: Sizes) -> Callable[[Maps], Tensor]:
        positions, width = sizes[self.site]
        _check_position(self.position, positions)
        _check_labels(f"{model.spec.name} {site_name(self.site)}", self.labels, width)
        own = torch.tensor(self.labels, device=model.device)[:, None, None]

        def value(maps: Maps) -> Tensor:
            fkc = _at(maps[self.site], self.position)
            return fkc.gather(2, own.expand(*fkc.shape[:2], 1))[..., 0]

        return value


@dataclass(frozen=True)
class Directions(Objective):
    """``directions`` [f, channels] over a site's channels: the scalar product with the mean over positions, or with
    one ``position``."""

    site: Site
    labels: tuple[int, ...]
    directions: Tensor
    position: int | None = None

    @property
    def sites(self) -> tuple[Site]:
        return (self.site,)

    def take(self, part: slice) -> "Directions":
        return replace(self, labels=self.labels[part], directions=self.directions[part])

    def prepare(self, model: Model, sizes: Sizes) -> Callable[[Maps], Tensor]:
        positions, width = sizes[self.site]
        _check_position(self.position, positions)
        if (found := self.directions.shape[1]) != width:
            where = f"{model.spec.name} {site_name(self.site)}"
            raise InputError(f"{where} has {width} channels, the directions have {found}")
        directions = self.directions.to(model.device)[:, None]
        return lambda maps: (_at(maps[self.site], self.position) * directions).sum(2)


@dataclass(frozen=True)
class Logits(Objective):
    """Class logits of a classifier, ``labels`` being classes."""

    labels: tuple[int, ...]

    sites = (LOGITS,)

    def take(self, part: slice) -> "Logits":
        return replace(self, labels=self.labels[part])

    def prepare(self, model: Model, sizes: Sizes) -> Callable[[Maps], Tensor]:
        return Channels(LOGITS, self.labels).prepare(model, sizes)


@dataclass(frozen=True)
class Combined(Objective):
    """The sum of ``terms`` times ``weights``. All terms have the same number of features, or one feature, which counts
    for every feature of the others. The labels are those of the first term with the most features. Raises InputError
    where the numbers of features do not fit."""

    weights: tuple[float, ...]
    terms: tuple[Objective, ...]

    def __post_init__(self) -> None:
        counts = [len(term.labels) for term in self.terms]
        if misfits := set(counts) - {1, max(counts)}:
            raise InputError(
                f"terms of {min(misfits)} and {max(counts)} features do not add up: give each the same number, or one"
            )

    @property
    def labels(self) -> tuple[int, ...]:
        return max((term.labels for term in self.terms), key=len)

    @property
    def sites(self) -> tuple[Site, ...]:
        return tuple(dict.fromkeys(site for term in self.terms for site in term.sites))

    @property
    def joint(self) -> bool:
        return any(term.joint for term in self.terms)

    def take(self, part: slice) -> "Combined":
        count = len(self.labels)
        return replace(self, terms=tuple(t.take(part) if len(t.labels) == count else t for t in self.terms))

    def prepare(self, model: Model, sizes: Sizes) -> Callable[[Maps], Tensor]:
        values = [term.prepare(model, sizes) for term in self.terms]
        return lambda maps: sum(weight * value(maps) for weight, value in zip(self.weights, values, strict=True))


def channel(block: int, *labels: int, position: int | None = None) -> Channels:
    """Channels of a CNN's block."""
    return Channels(Site("channel", block), labels, position)


def ffn(block: int, *labels: int, position: int | None = None) -> Channels:
    """Channels of a transformer's feed-forward layer, after its nonlinearity."""
    return Channels(Site("ffn", block), labels, position)


def logit(*labels: int) -> Logits:
    """Class logits of a classifier."""
    return Logits(labels)


def classes(model: Model) -> int:
    """How many classes a classifier has. Raises InputError for a model that is none."""
    width = getattr(model.trunk, "num_classes", None)
    if width is None and model.spec.source == "torchvision":  # which says so nowhere
        size = model.spec.input_size
        with torch.no_grad():
            width = model.module(torch.zeros(1, 3, size, size, device=model.device)).shape[1]
    if model.spec.family == "clip" or not width:
        raise InputError(f"{model.spec.name} has no class logits; visualize a site")
    return width


def site_name(site: Site) -> str:
    """What messages call a site: its kind and block, or logit."""
    return "logit" if site == LOGITS else f"{site.kind} {site.block}"


def _sizes(model: Model, wanted: Collection[Site]) -> Sizes:
    logits: Sizes = {LOGITS: (1, classes(model))} if LOGITS in wanted else {}
    inner = [site for site in wanted if site != LOGITS]
    found = shapes(model, inner) if inner else {}
    return logits | {site: (height * width, count) for site, (count, (height, width)) in found.items()}


def _activations(model: Model, wanted: Collection[Site], images: Tensor, leak: float) -> Maps:
    """[f * k, p, c] of each site."""
    if LOGITS not in wanted:
        return {site: found.bpc for site, found in read_many(model, wanted, images, leak=leak).items()}
    inner, logits = read_with_output(model, [site for site in wanted if site != LOGITS], images, leak)
    return {site: found.bpc for site, found in inner.items()} | {LOGITS: logits[:, None]}


def _weighted_terms(objective: Objective) -> tuple[tuple[float, ...], tuple[Objective, ...]]:
    if isinstance(objective, Combined):
        return objective.weights, objective.terms
    return (1.0,), (objective,)


def _check_labels(where: str, labels: Sequence[int], width: int) -> None:
    if outside := [label for label in labels if not 0 <= label < width]:
        raise InputError(f"{where} has channels 0 to {width - 1}, not {outside[0]}")


def _check_position(position: int | None, count: int) -> None:
    if position is not None and not 0 <= position < count:
        raise InputError(f"there are positions 0 to {count - 1}, not {position}")


def _at(fkpc: Tensor, position: int | None) -> Tensor:
    return fkpc.mean(2) if position is None else fkpc[:, :, position]
