"""Spatial locality (paper section 4): four measures of how local a block's positions still are.

``uniformity``: 1 minus the ratio of a feature's variance over an image's positions to its variance over all images and
positions, averaged over features; 0 where a map varies as much as the data does, 1 where it is flat (Fig. 2b).
``cosine``: mean cosine between an image's positions on the residual stream. ``stays``: after one patch of the image is
exchanged for its partner's (the next image in the order), the share of the squared change that lies at that patch's
positions. ``position``: R2 of a ridge regression from a position's activations to its row and column, fitted on one
half of the images and scored on the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.data.loading import Loader
from vitexplore.models.registry import Model
from vitexplore.models.sites import Activations, Site, read_many, sites

RIDGE = 1e-2  # of the mean squared activation


class Variance:
    """Of each channel, over all images and positions of the batches that it is shown."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, acts_bpc: Tensor) -> None:
        """Chan, Golub, LeVeque 1983: exact where the mean is large beside the spread."""
        x = acts_bpc.double().flatten(0, 1)
        variance, mean = torch.var_mean(x, 0, correction=0)
        total, apart = self.count + len(x), mean - self.mean
        self.squares = self.squares + variance * len(x) + apart.pow(2) * (self.count * len(x) / total)
        self.mean = self.mean + apart * (len(x) / total)
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

    def fit(self) -> "Readout":
        """Of all that was added."""
        count = self.images * len(self.target)
        mean = self.sums / count
        gram = self.products - count * mean[:, None] * mean
        gram += RIDGE * gram.diagonal().mean().clamp_min(1e-12) * torch.eye(len(gram)).to(gram)
        weights = torch.linalg.solve(gram, self.towards)  # the targets' own mean is 0
        return Readout(mean, weights, self.target.to(mean.device))


@dataclass(frozen=True)
class Readout:
    """What ``Decoder`` fits: float64 ``weights`` [c, 2] for activations less their ``mean`` [c], and the ``target``
    [p, 2] that they aim at."""

    mean: Tensor
    weights: Tensor
    target: Tensor

    def r2(self, acts_bpc: Tensor) -> Tensor:
        """R2 of each image, float64 [b]."""
        error = ((acts_bpc.double() - self.mean) @ self.weights - self.target).pow(2).sum((1, 2))
        return 1 - error / self.target.pow(2).sum()


@dataclass(frozen=True)
class Exchanged:
    """From an image's index to float [2, 3, size, size]: its ``picture``, and that with one patch, ``patch`` pixels
    wide, exchanged for its partner's. ``partners`` int64 and ``cells`` (row and column of the patch, in patches) are
    indexed by image, so that neither depends on the batch."""

    picture: Callable[[int], Tensor]
    partners: np.ndarray
    cells: np.ndarray
    patch: int

    def __call__(self, index: int) -> Tensor:
        plain, donor = self.picture(index), self.picture(self.partners[index])
        row, column = self.cells[index] * self.patch
        area = (slice(None), slice(row, row + self.patch), slice(column, column + self.patch))
        changed = plain.clone()
        changed[area] = donor[area]
        return torch.stack([plain, changed])


@torch.no_grad()
def locality(model: Model, loader: Loader, patch: int) -> pd.DataFrame:
    """Columns ``block``, ``measure``, ``image``, ``value``, for every block. Transformers: uniformity on the
    ffn site, the rest on the residual stream; CNNs: all on the channel site. ``patch``: the side in pixels of
    the patch that ``stays`` exchanges, on a grid of such patches. Raises InputError for fewer than two images.

    Two passes over the images, so that memory does not grow with them: the first for the variances and the decoders,
    the second for each image's values. Each holds the activations of one site at a time, of at most ``loader.batch``
    pictures."""
    stream, features, size = "block" if model.is_vit else "channel", model.feature_site, model.spec.input_size
    blocks = range(sites(model)[stream])
    wanted = list(dict.fromkeys(Site(kind, block) for kind in (features, stream) for block in blocks))
    of_first_half = np.zeros(len(loader.images), dtype=bool)
    of_first_half[loader.indices[: len(loader) // 2]] = True
    cells = np.random.default_rng(0).integers(size // patch, size=(len(loader.images), 2))
    exchanged = Exchanged(loader.pictures(model.spec), loader.partners(), cells, patch)

    variances = {block: Variance() for block in blocks}
    decoders: dict[tuple[int, bool], Decoder] = {}

    def learn(index: np.ndarray, site: Site, found: Activations) -> None:
        if site.kind == features:
            variances[site.block].add(found.bpc)
        if site.kind == stream:
            first = torch.from_numpy(of_first_half[index])
            for which in (True, False):
                decoders.setdefault((site.block, which), Decoder(found.grid)).add(found.bpc[first == which])

    for index, pictures in loader.batches(model.spec):
        read_many(model, wanted, pictures.to(model.device), partial(learn, index))
    variance = {block: each.value() for block, each in variances.items()}
    # a decoder's sums are large, [c, c]: each is dropped once it is fitted
    readouts = {key: decoders.pop(key).fit() for key in list(decoders)}

    def measured(index: np.ndarray, site: Site, found: Activations) -> dict[str, Tensor]:
        before, after = found.bpc.chunk(2)
        values = {}
        if site.kind == features:
            values["uniformity"] = uniformity(before, variance[site.block])
        if site.kind == stream:
            first = torch.from_numpy(of_first_half[index]).to(model.device)
            inside = _positions_inside(cells[index], patch, size, found.grid).to(model.device)
            values["cosine"] = mean_cosine(before)
            values["stays"] = share_that_stays(before, after, inside)
            # each half is scored by the regression that was fitted on the other half
            on_first, on_second = (readouts[site.block, fitted].r2(before) for fitted in (False, True))
            values["position"] = torch.where(first, on_first, on_second)
        return values

    frames = []
    for index, pairs in loader.loaded(exchanged, model.spec.name, max(1, loader.batch // 2)):
        pictures = pairs.transpose(0, 1).flatten(0, 1).to(model.device)  # the plain ones, then the changed ones
        for site, values in read_many(model, wanted, pictures, partial(measured, index)).items():
            for measure, value in values.items():
                columns = {"block": site.block, "measure": measure, "image": index}
                frames.append(pd.DataFrame({**columns, "value": value.double().cpu().numpy()}))
    return pd.concat(frames, ignore_index=True)


def _positions_inside(cells: np.ndarray, patch: int, size: int, grid: tuple[int, int]) -> Tensor:
    """bool [b, p]: positions of ``grid`` whose area of the image overlaps the cell's patch."""
    inside = []
    for axis, side in enumerate(grid):
        edges = np.arange(side) * size / side
        low = cells[:, axis, None] * patch
        inside.append((edges < low + patch) & (edges + size / side > low))
    return torch.from_numpy((inside[0][:, :, None] & inside[1][:, None, :]).reshape(len(cells), -1))
