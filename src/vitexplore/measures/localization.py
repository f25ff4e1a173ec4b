"""Do activation maps find the object (paper Figs. 2 and 4)? AUROC of each map against the object's mask."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from vitexplore.data.images import spread
from vitexplore.data.loading import Loader, preprocess
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, read_many, sites
from vitexplore.models.spec import ModelSpec


def map_auroc(acts_bpc: Tensor, object_bp: Tensor) -> Tensor:
    """Probability that a feature is larger at a position of the object than at one of the background, ties
    counting half: float [b, c]. ``object_bp`` bool; each image needs positions of both kinds, else NaN."""
    inside = object_bp.sum(1)
    acts_bcp = acts_bpc.mT.contiguous()
    ordered = acts_bcp.sort(dim=2).values
    # a value's rank among its map's, from 1, equal values sharing their mean rank (Mann-Whitney)
    midrank = (torch.searchsorted(ordered, acts_bcp) + torch.searchsorted(ordered, acts_bcp, right=True) + 1) / 2
    greater = (midrank * object_bp[:, None]).sum(2) - (inside * (inside + 1) / 2)[:, None]
    return greater / (inside * (object_bp.shape[1] - inside))[:, None]


@torch.no_grad()
def localization(model: Model, loader: Loader, features: int = 256) -> pd.DataFrame:
    """Columns ``block``, ``feature``, ``image``, ``auroc``, ``control`` (the map of the next image against
    this image's mask), float32, on the ffn site (CNNs: channel), for a fixed sample of at most ``features``
    features a block. A position is the object's where the mask covers half of its area; images with
    positions of one kind only at a block's grid are left out there."""
    kind = model.feature_site
    wanted = [Site(kind, block) for block in range(sites(model)[kind])]
    mask_transform = preprocess(_unnormalised(model.spec), loader.preprocessing)
    frames = []
    for index, pictures in loader.batches(model.spec):
        masks = torch.stack([mask_transform(_as_image(loader.images.mask(i)))[:1] for i in index])
        for site, found in read_many(model, wanted, pictures.to(model.device)).items():
            cover = adaptive_avg_pool2d(masks, found.grid).flatten(1) >= 0.5
            usable = cover.any(1) & ~cover.all(1)
            chosen = np.sort(spread(found.bpc.shape[2], features))
            acts = found.bpc[..., torch.from_numpy(chosen).to(model.device)].cpu()
            own, other = map_auroc(acts, cover)[usable], map_auroc(acts.roll(-1, 0), cover)[usable]
            frames.append(
                pd.DataFrame(
                    {
                        "block": np.int16(site.block),
                        "feature": np.tile(chosen.astype(np.int32), int(usable.sum())),
                        "image": np.repeat(index[usable.numpy()].astype(np.int32), len(chosen)),
                        "auroc": own.flatten().numpy(),
                        "control": other.flatten().numpy(),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def _unnormalised(spec: ModelSpec) -> ModelSpec:
    return replace(spec, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def _as_image(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(mask.astype(np.uint8) * 255).convert("RGB")
