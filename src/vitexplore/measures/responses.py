"""Features' activations on images that are the same for all models: what features of two models are compared by."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from vitexplore.activations.collect import layout_of
from vitexplore.activations.pooled import pooled
from vitexplore.data.loading import Loader
from vitexplore.models.registry import Model
from vitexplore.models.sites import Activations, Site, read_many, sites

KEPT_GRID = 14  # rows and columns of a map at most: the grid of a ViT with patches of 16 pixels at 224


def responses(model: Model, loader: Loader, kinds: Sequence[str]) -> dict[str, np.ndarray]:
    """float16 [n, f] by site and block, such as ``ffn_3``, of all blocks at those of ``kinds`` that the model has: the
    mean of each feature's map on each image; and ``images`` int64 [n], which those are. Raises InputError where the
    model has none of ``kinds``."""
    acts = pooled(model, list(layout_of(model, kinds)), loader)
    named = {f"{site.kind}_{site.block}": _half(acts_nf.numpy()) for site, acts_nf in acts.items()}
    return {"images": loader.indices, **named}


@torch.no_grad()
def views_of(model: Model, loader: Loader) -> dict[str, np.ndarray]:
    """The maps themselves, float16 [n, f, h, w] by block at ``Model.feature_site``, and ``images`` int64 [n]. Maps of
    more than KEPT_GRID rows or columns are brought to as many, by the mean."""
    kind = model.feature_site
    wanted = [Site(kind, block) for block in range(sites(model)[kind])]
    parts = [read_many(model, wanted, each.to(model.device), _maps) for _, each in loader.batches(model.spec)]
    named = {f"{kind}_{site.block}": np.concatenate([part[site] for part in parts]) for site in wanted}
    return {"images": loader.indices, **named}


def _maps(_site: Site, found: Activations) -> np.ndarray:
    rows, columns = found.grid
    maps_bchw = found.bpc.transpose(1, 2).unflatten(2, found.grid).float()
    return _half(adaptive_avg_pool2d(maps_bchw, (min(rows, KEPT_GRID), min(columns, KEPT_GRID))).cpu().numpy())


def _half(values: np.ndarray) -> np.ndarray:
    """As float16, what is too large for it as its largest number."""
    most = float(np.finfo(np.float16).max)
    return np.clip(values, -most, most).astype(np.float16)
