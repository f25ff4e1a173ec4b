"""One number for each image and feature: the mean of the feature's map, which a visualization maximises."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vitexplore.data.loading import Loader
from vitexplore.models.registry import Model
from vitexplore.models.sites import Activations, Site, read_many


@torch.no_grad()
def pooled(model: Model, wanted: Sequence[Site], loader: Loader) -> dict[Site, Tensor]:
    """Mean activation over positions of every channel on every image: float32 [n, c] for each site, on the CPU."""
    found = [read_many(model, wanted, pictures.to(model.device), _mean) for _, pictures in loader.batches(model.spec)]
    return {site: torch.cat([part[site] for part in found]) for site in wanted}


def _mean(_site: Site, found: Activations) -> Tensor:
    return found.bpc.mean(1).float().cpu()
