"""Most activating images: one pass over the data for all features of all sites and blocks.

Each feature's score of an image is the mean of its map over positions (the objective that a visualization
maximises). A running top-k keeps scores, image indices and the winners' maps; memory does not grow with the
data.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vitexplore.data.images import ImageSet, batches, preprocess
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, read_many
from vitexplore.progress import track


@dataclass
class TopImages:
    """For each feature of one site, best first: ``scores`` float [f, k], ``images`` int64 [f, k] and the
    winners' ``maps`` float [f, k, positions] on ``grid``."""

    scores: Tensor
    images: Tensor
    maps: Tensor
    grid: tuple[int, int]

    def merge(self, acts_bpc: Tensor, index: Tensor) -> None:
        """Take in a batch: ``acts_bpc`` of images ``index`` int64 [b]. Of equal scores the earlier image
        stays. Raises FloatingPointError for activations that are not finite."""
        k = self.scores.shape[1]
        scores_fb = acts_bpc.mean(1).T
        if not torch.isfinite(scores_fb).all():
            raise FloatingPointError("activations are not finite")
        fresh, where = (found[:, :k] for found in scores_fb.sort(dim=1, descending=True, stable=True))
        if not (fresh[:, 0] > self.scores[:, -1]).any():
            return
        features = torch.arange(len(scores_fb), device=scores_fb.device)[:, None]
        maps = acts_bpc.permute(2, 0, 1)[features, where]
        scores = torch.cat([self.scores, fresh], dim=1)
        order = scores.sort(dim=1, descending=True, stable=True).indices[:, :k]
        self.scores = scores.gather(1, order)
        self.images = torch.cat([self.images, index[where]], dim=1).gather(1, order)
        self.maps = torch.cat([self.maps, maps], dim=1)[features, order]


@torch.no_grad()
def collect(
    model: Model,
    images: ImageSet,
    indices: np.ndarray,
    wanted: list[Site],
    k: int = 10,
    how: str = "own",
    batch: int = 64,
) -> dict[Site, TopImages]:
    """The ``k`` images of ``indices`` that activate each feature of each wanted site most. ``k`` may not
    exceed the number of images."""
    transform = preprocess(model.spec, how)
    tops: dict[Site, TopImages] = {}
    for index, pictures in track(batches(images, transform, indices, batch), model.spec.name, len(indices) / batch):
        where = torch.from_numpy(index).to(model.device)
        for site, found in read_many(model, wanted, pictures.to(model.device)).items():
            if site not in tops:
                tops[site] = _empty(found.bpc, k, found.grid)
            tops[site].merge(found.bpc, where)
    return tops


def _empty(acts_bpc: Tensor, k: int, grid: tuple[int, int]) -> TopImages:
    _, positions, features = acts_bpc.shape
    scores = acts_bpc.new_full((features, k), -torch.inf)
    images = torch.full((features, k), -1, dtype=torch.int64, device=acts_bpc.device)
    return TopImages(scores, images, acts_bpc.new_zeros(features, k, positions), grid)
