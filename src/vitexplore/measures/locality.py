"""Spatial locality (paper section 4): four measures of how local a block's positions still are.

``uniformity``: 1 minus the ratio of a feature's variance over an image's positions to its variance over all
images and positions, averaged over features; 0 where a map varies as much as the data does, 1 where it is
flat (Fig. 2b). ``cosine``: mean cosine between an image's positions on the residual stream. ``stays``: after
one patch of the image is exchanged for another image's, the share of the squared change that lies at that
patch's positions. ``position``: R2 of a ridge regression from a position's activations to its row and
column, fitted on one half of the images and scored on the other.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.data.loading import Loader
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, read_many, sites

MEASURES = ("uniformity", "cosine", "stays", "position")
RIDGE = 1e-2  # of the mean squared activation


class Variance:
    """Of each channel, over all images and positions of the batches that it is shown."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, acts_bpc: Tensor) -> None:
        """Chan, Golub, LeVeque 1983: exact where the mean is large beside the spread."""
        x = acts_bpc.flatten(0, 1).double()
        step = x.mean(0) - self.mean
        total = self.count + len(x)
        self.squares = self.squares + (x - x.mean(0)).pow(2).sum(0) + step.pow(2) * (self.count * len(x) / total)
        self.mean = self.mean + step * (len(x) / total)
        self.count = total

    def value(self) -> Tensor:
        """float64 [c]."""
        return self.squares / self.count


def uniformity(acts_bpc: Tensor, variance: Tensor) -> Tensor:
    """float64 [b]; ``variance`` [c] over the whole data. Features that never vary are left out; all of them constant
    gives 1."""
    alive = variance > 1e-12
    if not alive.any():
        return torch.ones(len(acts_bpc), dtype=torch.float64)
    within = acts_bpc.double().var(1, correction=0)
    return 1 - (within[:, alive] / variance[alive]).mean(1)


def mean_cosine(acts_bpc: Tensor) -> Tensor:
    """Mean cosine over all pairs of different positions, float [b]."""
    unit = torch.nn.functional.normalize(acts_bpc, dim=2)
    positions = unit.shape[1]
    own = unit.pow(2).sum((1, 2))
    return (unit.sum(1).pow(2).sum(1) - own) / (positions * (positions - 1))


def share_that_stays(before_bpc: Tensor, after_bpc: Tensor, inside: Tensor) -> Tensor:
    """Share of the squared change at positions ``inside`` (bool [b, p]), float [b]; NaN where nothing
    changed."""
    change = (after_bpc - before_bpc).pow(2).sum(2)
    return (change * inside).sum(1) / change.sum(1)


class Decoder:
    """Ridge regression from a position's activations to its row and column (each -1 to 1), in one pass of sums."""

    def __init__(self, grid: tuple[int, int]) -> None:
        rows, columns = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in grid), indexing="ij")
        self.target = torch.stack([rows.flatten(), columns.flatten()], 1).double()
        self.images, self.sums, self.products, self.towards = 0, 0.0, 0.0, 0.0

    def add(self, acts_bpc: Tensor) -> None:
        x = acts_bpc.double()
        target = self.target.to(x.device)
        self.images += len(x)
        self.sums = self.sums + x.sum((0, 1))
        self.products = self.products + torch.einsum("bpc,bpd->cd", x, x)
        self.towards = self.towards + torch.einsum("bpc,pt->ct", x, target)

    def fit(self) -> tuple[Tensor, Tensor]:
        """The activations' mean [c], and the weights [c, 2] for activations less that."""
        count = self.images * len(self.target)
        mean = self.sums / count
        gram = self.products - count * mean[:, None] * mean
        gram += RIDGE * gram.diagonal().mean().clamp_min(1e-12) * torch.eye(len(gram)).to(gram)
        return mean, torch.linalg.solve(gram, self.towards)  # the targets' own mean is 0

    def r2(self, acts_bpc: Tensor, fitted: tuple[Tensor, Tensor]) -> Tensor:
        """R2 of each image, float64 [b], by the mean and weights of ``fit``."""
        mean, weights = fitted
        target = self.target.to(acts_bpc.device)
        error = ((acts_bpc.double() - mean) @ weights - target).pow(2).sum((1, 2))
        return 1 - error / target.pow(2).sum()


@torch.no_grad()
def locality(model: Model, loader: Loader, patch: int) -> pd.DataFrame:
    """Columns ``block``, ``measure``, ``image``, ``value``, for every block. Transformers: uniformity on the
    ffn site, the rest on the residual stream; CNNs: all on the channel site. ``patch``: the side in pixels of
    the patch that ``stays`` exchanges, on a grid of such patches. Two passes over the images, so that memory does not
    grow with them: the first for the variances and the decoders, the second for each image's values."""
    stream, features = "block" if model.is_vit else "channel", model.feature_site
    blocks = range(sites(model)[stream])
    wanted = list(dict.fromkeys([Site(features, b) for b in blocks] + [Site(stream, b) for b in blocks]))
    half = set(loader.indices[: len(loader) // 2].tolist())

    def loaded() -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
        """Batches, and which of their images are of the first half."""
        for index, pictures in loader.batches(model.spec):
            yield index, torch.tensor([image in half for image in index.tolist()]), pictures

    variances = {block: Variance() for block in blocks}
    decoders: dict[tuple[int, bool], Decoder] = {}
    for _, first, pictures in loaded():
        for site, found in read_many(model, wanted, pictures.to(model.device)).items():
            if site.kind == features:
                variances[site.block].add(found.bpc)
            if site.kind == stream:
                for which in (True, False):
                    decoders.setdefault((site.block, which), Decoder(found.grid)).add(found.bpc[first == which])
    fitted = {key: decoder.fit() for key, decoder in decoders.items()}
    rng = np.random.default_rng(0)
    frames = []
    for index, first, pictures in loaded():
        cells = rng.integers(model.spec.input_size // patch, size=(len(pictures), 2))
        changed = _exchange_patch(pictures, cells, patch)
        plain = read_many(model, wanted, pictures.to(model.device))
        other = read_many(model, [Site(stream, b) for b in blocks], changed.to(model.device))
        for block in blocks:
            before, after = plain[Site(stream, block)], other[Site(stream, block)]
            inside = _positions_inside(cells, patch, model.spec.input_size, before.grid).to(model.device)
            # each half is scored by the regression that was fitted on the other half
            scores = {which: decoders[block, which].r2(before.bpc, fitted[block, not which]) for which in (True, False)}
            values = {
                "uniformity": uniformity(plain[Site(features, block)].bpc, variances[block].value()),
                "cosine": mean_cosine(before.bpc),
                "stays": share_that_stays(before.bpc, after.bpc, inside),
                "position": torch.where(first.to(model.device), scores[True], scores[False]),
            }
            for measure in MEASURES:
                value = values[measure].double().cpu().numpy()
                frames.append(pd.DataFrame({"block": block, "measure": measure, "image": index, "value": value}))
    return pd.concat(frames, ignore_index=True)


def _exchange_patch(pictures: Tensor, cells: np.ndarray, patch: int) -> Tensor:
    """Each picture with the patch at its cell (row, column) taken from the next picture of the batch."""
    changed, donors = pictures.clone(), pictures.roll(-1, 0)
    for number, (row, column) in enumerate(cells):
        area = (number, slice(None), slice(row * patch, (row + 1) * patch), slice(column * patch, (column + 1) * patch))
        changed[area] = donors[area]
    return changed


def _positions_inside(cells: np.ndarray, patch: int, size: int, grid: tuple[int, int]) -> Tensor:
    """bool [b, p]: positions of ``grid`` whose area of the image overlaps the cell's patch."""
    inside = []
    for axis, side in enumerate(grid):
        edges = np.arange(side) * size / side
        low = cells[:, axis, None] * patch
        inside.append((edges < low + patch) & (edges + size / side > low))
    return torch.from_numpy((inside[0][:, :, None] & inside[1][:, None, :]).reshape(len(cells), -1))
