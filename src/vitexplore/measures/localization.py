"""Do activation maps find the object (paper Figs. 2 and 4)? AUROC of each map against the mask of one class's objects.

Two things stand beside it. Trivial maps, that need no network, meet the same masks (trivial_maps.py). And the control
of each map is its AUROC against the mask of the image's partner, the next image in the order: as in another image's
map against this mask, a map meets an object that is not in its image, but no second image's activations are needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, pad
from torchvision.transforms.functional import normalize

from vitexplore.data.images import ImageSet, spread
from vitexplore.data.loading import Loader, Preprocess, preprocess, unnormalised
from vitexplore.measures.trivial_maps import TRIVIAL, trivial_maps
from vitexplore.models.registry import Model
from vitexplore.models.sites import Activations, Site, read_many, shapes, sites

OBJECTS = 3  # classes of an image's objects at most


def map_auroc(acts_bpc: Tensor, *objects_bp: Tensor) -> Tensor:
    """Probability that a feature is larger at a position of the object than at one of the background, ties counting
    half: float32 [m, b, c], by each of m masks ``objects_bp`` (bool). NaN where a mask has positions of one kind
    only."""
    acts_bcp = acts_bpc.mT.contiguous()
    ordered = acts_bcp.sort(dim=2).values
    # twice a value's rank among its map's, from 1, equal values sharing their mean rank (Mann-Whitney)
    ranks = torch.searchsorted(ordered, acts_bcp) + torch.searchsorted(ordered, acts_bcp, right=True) + 1
    found = []
    for object_bp in objects_bp:
        inside = object_bp.sum(1)
        greater = (ranks * object_bp[:, None]).sum(2) - (inside * (inside + 1))[:, None]
        found.append(greater / (2 * inside * (object_bp.shape[1] - inside))[:, None])
    return torch.stack(found)


@dataclass(frozen=True)
class Located:
    """From an image's index to float [4 + m, size, size]: its pixels, 0 to 1, the mask of its partner's object, and
    those of the objects of its ``classes``, by image, empty ones after them; each brought to the model's input by
    ``transform``. ``partners`` int64 is indexed by image."""

    images: ImageSet
    partners: np.ndarray
    transform: Preprocess
    classes: Mapping[int, Sequence[str]]

    def __call__(self, index: int) -> Tensor:
        objects = self.images.objects(index)
        masks = [self.images.mask(self.partners[index]), *(objects[name] for name in self.classes[index])]
        shown = torch.cat([self.transform(as_image(mask))[:1] for mask in masks])
        empty = max(map(len, self.classes.values())) - len(self.classes[index])
        return torch.cat([self.transform(self.images.image(index)), pad(shown, (0, 0, 0, 0, 0, empty))])


def classes_of(images: ImageSet, indices: np.ndarray) -> dict[int, list[str]]:
    """By image the classes of its objects, the largest OBJECTS of them, largest first."""
    found = {}
    for index in indices.tolist():
        area = {name: int(mask.sum()) for name, mask in images.objects(index).items()}
        found[index] = sorted(area, key=lambda name: -area[name])[:OBJECTS]
    return found


@torch.no_grad()
def localization(model: Model, loader: Loader, features: int = 256) -> dict[str, pd.DataFrame]:
    """Three tables. ``localization``: ``block``, ``feature``, ``auroc`` and ``control`` (the same map against the mask
    of the image's partner), both float32 arrays over images and classes of their objects, on the ffn site (CNNs:
    channel), for a fixed sample of at most ``features`` features a block. ``localization_images``: ``image`` and
    ``class``, in the order of those arrays. ``trivial_maps``: ``map`` (of TRIVIAL), ``block``, ``auroc``, ``control``,
    for each block whose grid is not that of the block before it: block b's are those of the last such block up to b.

    A position is the object's where the mask covers half of its area; a mask with positions of one kind only on a
    block's grid gives NaN there. Arrays, and not a row for each image: 15 million rows a model at the paper's scale.
    Holds the activations of one block at a time. Raises InputError for fewer than two images."""
    spec, kind = model.spec, model.feature_site
    shape = shapes(model, [Site(kind, block) for block in range(sites(model)[kind])])
    chosen = {site: np.sort(spread(width, features)) for site, (width, _) in shape.items()}
    grids = [grid for _, grid in shape.values()]
    of_features: dict[Site, list[Tensor]] = {site: [] for site in shape}
    of_trivial: dict[tuple[int, int], list[Tensor]] = {grid: [] for grid in grids}
    classes = classes_of(loader.images, loader.indices)

    def score(masks_bmhw: Tensor, there: Tensor, site: Site, found: Activations) -> None:
        acts = found.bpc[..., torch.from_numpy(chosen[site]).to(model.device)]
        of_features[site].append(_scores(acts, masks_bmhw, found.grid, there))

    transform = preprocess(unnormalised(spec), loader.preprocessing)
    located = Located(loader.images, loader.partners(), transform, classes)
    for index, loaded in loader.loaded(located, spec.name, loader.batch):
        pixels, masks = loaded.to(model.device).split([3, loaded.shape[1] - 3], dim=1)
        there = torch.arange(masks.shape[1] - 1) < torch.tensor([len(classes[i]) for i in index.tolist()])[:, None]
        read_many(model, shape, normalize(pixels, spec.mean, spec.std), partial(score, masks, there))
        for grid, found in of_trivial.items():
            found.append(_scores(trivial_maps(pixels, grid), masks, grid, there))
    rows = [_rows(of_features[site], block=site.block, feature=chosen[site]) for site in shape]
    new = [block for block, grid in enumerate(grids) if block == 0 or grid != grids[block - 1]]
    trivial = [_rows(of_trivial[grids[block]], map=list(TRIVIAL), block=block) for block in new]
    pairs = [(index, name) for index in loader.indices.tolist() for name in classes[index]]
    return {
        "localization": pd.concat(rows, ignore_index=True),
        "localization_images": pd.DataFrame(pairs, columns=["image", "class"]),
        "trivial_maps": pd.concat(trivial, ignore_index=True),
    }


def _scores(acts_bpc: Tensor, masks_bmhw: Tensor, grid: tuple[int, int], there_bm: Tensor) -> Tensor:
    """AUROC and control, float32 [2, n, c], on the CPU, for each image and each of its classes that is ``there``. The
    first mask is the partner's."""
    cover = adaptive_avg_pool2d(masks_bmhw, grid).flatten(2) >= 0.5
    partner, *own = map_auroc(acts_bpc, *cover.unbind(1)).cpu()
    pairs = torch.stack([torch.stack(own, 1), partner[:, None].expand(-1, len(own), -1)])
    return pairs[:, there_bm]


def _rows(scores: list[Tensor], **columns: Any) -> pd.DataFrame:
    """A row for each map, from each batch's ``_scores``."""
    auroc, control = torch.cat(scores, dim=1).mT.contiguous().numpy()
    return pd.DataFrame({**columns, "auroc": list(auroc), "control": list(control)})


def as_image(mask: np.ndarray) -> Image.Image:
    """A mask, bool [h, w], as a picture that transforms take."""
    return Image.fromarray(mask.astype(np.uint8) * 255).convert("RGB")
