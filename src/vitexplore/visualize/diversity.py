"""Facets of one feature: several images of it at once that are kept unlike each other.

A feature may answer to more than one thing, and one image shows one. Olah, Mordvintsev and Schubert (2017, "Feature
Visualization", section "Diversity") optimize several and reward their difference: that of a layer's Gram matrices,
which stand for an image's style (Gatys et al. 2015). Wei et al. (2015) were the first to look for facets so.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from vitexplore.errors import InputError
from vitexplore.models.registry import Model
from vitexplore.models.sites import TRANSFORMER_SITES, Site
from vitexplore.visualize.objective import LOGITS, Maps, Objective, Sizes, site_name


@dataclass(frozen=True)
class Facets(Objective):
    """``count`` images of the one feature of ``objective``. A facet's value is that feature's activation less
    ``weight``, in units of the activation, times its mean similarity to the other facets (see ``similarity``): of the
    output of the block that ``objective`` reads, or of the site itself in a CNN. A tenth to a third of the activation
    is a fair weight: with less the facets stay alike, with more some stop firing.

    The labels are the facets' numbers, whatever the feature: the facets of two features go into two folders. Raises
    InputError for an objective of several features or sites, and for a count below 2."""

    objective: Objective
    count: int
    weight: float

    joint = True

    def __post_init__(self) -> None:
        sites = self.objective.sites
        if (features := len(self.objective.labels)) != 1:
            raise InputError(f"facets are of one feature, not of {features}")
        if len(sites) != 1 or sites == (LOGITS,):
            raise InputError(f"facets are of a feature of one site, not of {', '.join(map(site_name, sites))}")
        if self.count < 2:
            raise InputError(f"a feature has 2 facets or more, not {self.count}")

    @property
    def labels(self) -> tuple[int, ...]:
        return tuple(range(self.count))

    @property
    def style(self) -> Site:
        """The site whose Gram matrices tell facets apart."""
        (site,) = self.objective.sites
        return Site("block", site.block) if site.kind in TRANSFORMER_SITES else site

    @property
    def sites(self) -> tuple[Site, ...]:
        return tuple(dict.fromkeys((*self.objective.sites, self.style)))

    def take(self, part: slice) -> "Facets":
        """All facets. Raises InputError for fewer: they are valued together."""
        if self.labels[part] != self.labels:
            raise InputError(f"the {self.count} facets of a feature are valued together; take all")
        return self

    def prepare(self, model: Model, sizes: Sizes) -> Callable[[Maps], Tensor]:
        activation = self.objective.prepare(model, sizes)
        return lambda maps: activation(maps) - self.weight * similarity(maps[self.style])


def similarity(fkpc: Tensor) -> Tensor:
    """Of each image the mean cosine similarity of its Gram matrix (channels x channels, summed over positions) to
    those of the other facets' images of the same copy: [f, k] in [0, 1]."""
    with torch.autocast(fkpc.device.type, enabled=False):
        maps = fkpc.float()
        grams = normalize((maps.mT @ maps).flatten(2), dim=2)
        others = grams.sum(0, keepdim=True) - grams
        return (grams * others).sum(2) / (len(fkpc) - 1)
