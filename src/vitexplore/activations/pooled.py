"""One number for each image and feature: the mean of the feature's map, which a visualization maximises."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vitexplore.data.images import ImageSet
from vitexplore.data.loading import preprocessed
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, read_many


@torch.no_grad()
def pooled(
    model: Model,
    wanted: Sequence[Site],
    images: ImageSet,
    indices: np.ndarray,
    how: str = "own",
    batch: int = 64,
    workers: int = 0,
) -> dict[Site, Tensor]:
    """Mean activation over positions of every channel on every image of ``indices``: float32 [n, c] for each site, on
    the CPU."""
    found = []
    for _, pictures in preprocessed(model.spec, images, indices, how, batch, workers):
        found.append(read_many(model, wanted, pictures.to(model.device), lambda acts: acts.bpc.mean(1).float().cpu()))
    return {site: torch.cat([part[site] for part in found]) for site in wanted}
