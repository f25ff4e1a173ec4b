"""Spatial locality (paper section 4): four measures of how local a block's positions still are.

``uniformity``: 1 minus the ratio of a feature's variance over an image's positions to its variance over all
images and positions, averaged over features; 0 where a map varies as much as the data does, 1 where it is
flat (Fig. 2b). ``cosine``: mean cosine between an image's positions on the residual stream. ``stays``: after
one patch of the image is exchanged for another image's, the share of the squared change that lies at that
patch's positions. ``position``: R2 of a ridge regression from a position's activations to its row and
column, fitted on one half of the images and scored on the other.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.data.images import ImageSet, batches, preprocess
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, read_many, sites
from vitexplore.progress import track

MEASURES = ("uniformity", "cosine", "stays", "position")
RIDGE = 1e-2  # of the mean squared activation


def uniformity(acts_bpc: Tensor) -> Tensor:
    """float [b]. Features that never vary are left out; all of them constant gives 1."""
    total = acts_bpc.flatten(0, 1).var(0, correction=0)
    alive = total > 1e-12
    if not alive.any():
        return torch.ones(len(acts_bpc))
    within = acts_bpc.var(1, correction=0)
    return 1 - (within[:, alive] / total[alive]).mean(1)


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


def position_r2(acts_bpc: Tensor, grid: tuple[int, int]) -> Tensor:
    """R2 of decoding row and column, float [b]: each half of the images is scored by the ridge regression
    that was fitted on the other half."""
    images = len(acts_bpc)
    rows, columns = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in grid), indexing="ij")
    target = torch.stack([rows.flatten(), columns.flatten()], 1).to(acts_bpc)
    second = torch.arange(images) >= images // 2
    out = torch.empty(images)
    for fit, score in ((~second, second), (second, ~second)):
        mean = acts_bpc[fit].mean((0, 1))
        x = (acts_bpc[fit] - mean).flatten(0, 1)
        gram = x.T @ x
        gram += RIDGE * gram.diagonal().mean().clamp_min(1e-12) * torch.eye(len(gram), dtype=gram.dtype)
        weights = torch.linalg.solve(gram, x.T @ target.repeat(int(fit.sum()), 1))
        error = ((acts_bpc[score] - mean) @ weights - target).pow(2).sum((1, 2))
        out[score] = (1 - error / target.pow(2).sum()).to(out.dtype)
    return out


@torch.no_grad()
def locality(
    model: Model, images: ImageSet, indices: np.ndarray, patch: int, how: str = "own", batch: int = 64
) -> pd.DataFrame:
    """Columns ``block``, ``measure``, ``image``, ``value``, for every block. Transformers: uniformity on the
    ffn site, the rest on the residual stream; CNNs: all on the channel site. ``patch``: the side in pixels of
    the patch that ``stays`` exchanges, on a grid of such patches."""
    transform = preprocess(model.spec, how)
    stream, features = ("block", "ffn") if model.is_vit else ("channel", "channel")
    blocks = range(sites(model)[stream])
    wanted = list(dict.fromkeys([Site(features, b) for b in blocks] + [Site(stream, b) for b in blocks]))
    rng = np.random.default_rng(0)
    acts: dict[Site, list[Tensor]] = {site: [] for site in wanted}
    stays: dict[int, list[Tensor]] = {block: [] for block in blocks}
    grids = {}
    for _, pictures in track(batches(images, transform, indices, batch), model.spec.name, len(indices) / batch):
        cells = rng.integers(model.spec.input_size // patch, size=(len(pictures), 2))
        changed = _exchange_patch(pictures, cells, patch)
        plain = read_many(model, wanted, pictures.to(model.device))
        other = read_many(model, [Site(stream, b) for b in blocks], changed.to(model.device))
        for site, found in plain.items():
            acts[site].append(found.bpc.cpu())
            grids[site] = found.grid
        for block in blocks:
            before, after = plain[Site(stream, block)], other[Site(stream, block)]
            inside = _positions_inside(cells, patch, model.spec.input_size, before.grid).to(model.device)
            stays[block].append(share_that_stays(before.bpc, after.bpc, inside).cpu())
    frames = []
    for block in blocks:
        tokens, maps = torch.cat(acts[Site(stream, block)]), torch.cat(acts[Site(features, block)])
        values = {
            "uniformity": uniformity(maps),
            "cosine": mean_cosine(tokens),
            "stays": torch.cat(stays[block]),
            "position": position_r2(tokens.double(), grids[Site(stream, block)]),
        }
        for measure in MEASURES:
            value = values[measure].double().numpy()
            frames.append(pd.DataFrame({"block": block, "measure": measure, "image": indices, "value": value}))
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
