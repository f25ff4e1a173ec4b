"""Features' activations on images that are the same for all models: what features of two models are compared by."""

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from vitexplore.data.loading import Loader
from vitexplore.measures.concepts import activations_by_block
from vitexplore.models.registry import Model
from vitexplore.models.sites import Activations, Site, read_many, sites

FINEST = 14  # rows and columns of a map at most: the grid of a ViT with patches of 16 pixels at 224


def responses(model: Model, loader: Loader) -> dict[str, np.ndarray]:
    """float16 [n, f] by site and block, such as ``ffn_3``: the mean of each feature's map (see ``Model.feature_site``)
    on each image; and ``images`` int64 [n], which those are."""
    acts = activations_by_block(model, loader)
    named = {f"{model.feature_site}_{block}": _half(acts_nf) for block, acts_nf in acts.items()}
    return {"images": loader.indices, **named}


@torch.no_grad()
def views_of(model: Model, loader: Loader) -> dict[str, np.ndarray]:
    """The maps themselves, float16 [n, f, h, w] by site and block, and ``images`` int64 [n]. Maps of more than FINEST
    rows or columns are brought to as many, by the mean."""
    kind = model.feature_site
    wanted = [Site(kind, block) for block in range(sites(model)[kind])]
    parts = [read_many(model, wanted, each.to(model.device), _maps) for _, each in loader.batches(model.spec)]
    named = {f"{kind}_{site.block}": np.concatenate([part[site] for part in parts]) for site in wanted}
    return {"images": loader.indices, **named}


def _maps(_site: Site, found: Activations) -> np.ndarray:
    rows, columns = found.grid
    maps_bchw = found.bpc.transpose(1, 2).unflatten(2, found.grid).float()
    return _half(adaptive_avg_pool2d(maps_bchw, (min(rows, FINEST), min(columns, FINEST))).cpu().numpy())


def _half(values: np.ndarray) -> np.ndarray:
    """As float16, what is too large for it as its largest number."""
    most = float(np.finfo(np.float16).max)
    return np.clip(values, -most, most).astype(np.float16)
