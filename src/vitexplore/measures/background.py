"""Foreground and background reliance (paper section 5, Table 2): the class's rank on full images, on foregrounds
alone and on backgrounds alone, whatever stands in for the rest."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader, Preprocess, preprocess
from vitexplore.data.masks import FILLS, cut
from vitexplore.measures.ranks import rank_of_truth
from vitexplore.models.heads import Head
from vitexplore.models.registry import Model


@dataclass(frozen=True)
class View:
    """What is shown of an image (a CONDITION), what stands in for the rest (a FILL), and what it was cut along: its
    ``boxes``, the paper's way, its object's ``pixels``, or as it was ``published`` (see measures/imagenet9.py)."""

    condition: str
    fill: str = ""
    along: str = ""


FULL = View("full")
MEAN_IMAGE = View("mean_image")  # the control: one and the same picture for every image


def views_of(images: ImageSet) -> tuple[View, ...]:
    """The full image; foreground and background along the boxes with each fill; and, where the objects' pixels are
    known, along those in black."""
    cuts = [(fill, "boxes") for fill in FILLS] + ([("black", "pixels")] if images.masks is not None else [])
    return FULL, *(View(condition, *each) for each in cuts for condition in ("foreground", "background"))


@dataclass(frozen=True)
class Views:
    """An image set as a function from an index to that image's ``views``, float [views, 3, size, size]."""

    images: ImageSet
    transform: Preprocess
    views: tuple[View, ...]

    def __call__(self, index: int) -> Tensor:
        picture = self.images.image(index)
        masks = {"": None, "boxes": self.images.box_mask(index), "pixels": self.images.mask(index)}
        cuts = [cut(picture, masks[view.along], view.condition, view.fill or "black") for view in self.views]
        return torch.stack([self.transform(each) for each in cuts])


def background_ranks(model: Model, head: Head, loader: Loader) -> pd.DataFrame:
    """Columns ``condition``, ``fill``, ``along``, ``image``, ``rank``: all views of each image in one pass and, as
    control, the mean of all full images in place of each. ``loader`` holds images with boxes alone; its batch counts
    views."""
    views = views_of(loader.images)
    shown = Views(loader.images, preprocess(model.spec, loader.preprocessing), views)
    return ranks_of_views(model, head, loader, shown, views)


@torch.no_grad()
def ranks_of_views(
    model: Model,
    head: Callable[[Tensor], Tensor],
    loader: Loader,
    shown: Callable[[int], Tensor],
    views: Sequence[View],
) -> pd.DataFrame:
    """The same of any ``views``, the first of them the full image: ``shown`` gives those of an image by its index,
    float [views, 3, size, size], and ``head`` logits of the classes that the images' labels count."""
    labels = torch.tensor(loader.images.labels)
    total = torch.zeros(3, model.spec.input_size, model.spec.input_size)
    frames = []
    for index, pictures in loader.loaded(shown, model.spec.name, max(1, loader.batch // len(views))):
        logits = head(pictures.flatten(0, 1).to(model.device)).cpu().unflatten(0, pictures.shape[:2])
        ranks = rank_of_truth(logits, labels[index][:, None])
        frames += [_frame(view, index, ranks[:, place]) for place, view in enumerate(views)]
        total += pictures[:, 0].sum(0)
    constant = head((total / len(loader))[None].to(model.device)).cpu()
    control = rank_of_truth(constant.expand(len(loader), -1), labels[loader.indices])
    return pd.concat([*frames, _frame(MEAN_IMAGE, loader.indices, control)], ignore_index=True)


def _frame(view: View, index: np.ndarray, ranks: Tensor) -> pd.DataFrame:
    return pd.DataFrame({**asdict(view), "image": index, "rank": ranks.numpy()})


def share_of_box_cropped(images: ImageSet, indices: np.ndarray, transform: Preprocess) -> np.ndarray:
    """Of each image's box area (the union of its boxes), the share that the centre crop cuts away: float [n], 0 to 1.
    Readers of the paper asked for it: an object that the crop has lost is not "removed with the background"."""
    lost = []
    for index in indices:
        mask = images.box_mask(index)
        height, width = mask.shape
        half = transform.size / transform.side * min(mask.shape) / 2
        top, left = max(0, round(height / 2 - half)), max(0, round(width / 2 - half))
        inside = mask[top : max(top, round(height / 2 + half)), left : max(left, round(width / 2 + half))]
        lost.append(1 - inside.sum() / max(mask.sum(), 1))
    return np.array(lost)
