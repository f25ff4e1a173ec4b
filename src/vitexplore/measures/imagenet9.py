"""Foreground and background reliance on the backgrounds challenge, whose pictures are published as cut."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.data.imagenet9 import CLASSES, SHOWN, nine_way
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader, Preprocess, preprocess
from vitexplore.data.photos import imagenet_wnids
from vitexplore.measures.background import FULL, View, ranks_of_views
from vitexplore.models.heads import make_head
from vitexplore.models.registry import Model

VIEWS = tuple(FULL if condition == FULL.condition else View(condition, "black", "published") for condition in SHOWN)


@dataclass(frozen=True)
class Published:
    """An index of `index_imagenet9` as a function from an original's index to its views, float [views, 3, size, size],
    in the order of VIEWS."""

    images: ImageSet
    transform: Preprocess

    def __call__(self, index: int) -> Tensor:
        every = range(index, len(self.images), originals(self.images))
        return torch.stack([self.transform(self.images.image(each)) for each in every])


def originals(images: ImageSet) -> int:
    """How many of the pictures are originals; they come first."""
    return len(images) // len(VIEWS)


def imagenet9_ranks(model: Model, loader: Loader, most: int) -> pd.DataFrame:
    """Columns ``condition``, ``fill``, ``along``, ``image`` (the original's index), ``rank``: as ``background_ranks``,
    of at most ``most`` originals. A model that tells ImageNet's classes chooses among the nine, each by the largest of
    its logits. What it says of other classes is left out, so that a model that looks at nothing is right on one in
    nine, for the challenge has as many pictures of each."""
    images, head = loader.images, make_head(model, tuple(imagenet_wnids()))
    shown = loader.of(np.arange(originals(images))).sample(most)
    views = Published(images, preprocess(model.spec, loader.preprocessing))
    return ranks_of_views(model, lambda pixels: nine_way(head(pixels))[:, : len(CLASSES)], shown, views, VIEWS)
