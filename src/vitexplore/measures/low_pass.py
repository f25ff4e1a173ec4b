"""Reliance on fine detail (paper section 5, Fig. 14): the class's rank on images that were low-pass filtered."""

from collections.abc import Collection

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.data.filters import CUTOFFS, SIGMAS, disc, filtered, gaussian
from vitexplore.data.loading import Loader
from vitexplore.measures.ranks import rank_of_truth
from vitexplore.models.heads import Head
from vitexplore.models.registry import Model

NONE, DISC, GAUSSIAN = "none", "disc", "gaussian"


def filters_of(size: int, kinds: Collection[str], device: torch.device | str) -> list[tuple[str, float, Tensor | None]]:
    """Name, strength and gain of no filter and of those of ``kinds``, for inputs of ``size`` pixels."""
    made = [(DISC, cutoff, disc(size, cutoff, device)) for cutoff in CUTOFFS]
    made += [(GAUSSIAN, sigma, gaussian(size, sigma, device)) for sigma in SIGMAS]
    return [(NONE, 0.0, None), *(each for each in made if each[0] in kinds)]


@torch.no_grad()
def low_pass_ranks(model: Model, head: Head, loader: Loader, kinds: Collection[str] = (DISC, GAUSSIAN)) -> pd.DataFrame:
    """Of no filter and of those of ``kinds``: columns ``filter`` (none, disc, gaussian), ``strength`` (disc: the
    cut-off as a share of Nyquist; gaussian: sigma in pixels of a 224 px image; none: 0), ``image``, ``rank`` and
    ``rank_permuted`` (the control: the rank of another image's class). Filters act on the model's own input, after
    resize and crop."""
    device = model.device
    filters = filters_of(model.spec.input_size, kinds, device)
    labels = torch.tensor(loader.images.labels)
    other = labels.clone()
    other[loader.indices] = labels[np.random.default_rng(0).permutation(loader.indices)]
    frames = []
    for index, pictures in loader.batches(model.spec):
        pictures = pictures.to(device)
        for name, strength, gain in filters:
            logits = head(pictures if gain is None else filtered(pictures, gain)).cpu()
            ranks = {"rank": rank_of_truth(logits, labels[index]), "rank_permuted": rank_of_truth(logits, other[index])}
            numbers = {column: values.numpy() for column, values in ranks.items()}
            frames.append(pd.DataFrame({"filter": name, "strength": strength, "image": index, **numbers}))
    return pd.concat(frames, ignore_index=True)
