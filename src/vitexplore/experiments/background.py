"""Foreground and background reliance (paper section 5, Table 2): the class's rank on full images, on
foregrounds alone and on backgrounds alone."""

import pandas as pd
import torch

from vitexplore.data.images import CONDITIONS, ImageSet, batches, preprocess, spread
from vitexplore.errors import InputError
from vitexplore.experiments.ranks import rank_of_truth
from vitexplore.models.heads import Head
from vitexplore.models.registry import Model
from vitexplore.progress import track

MEAN_IMAGE = "mean_image"  # the control: one and the same picture for every image


@torch.no_grad()
def background_ranks(
    model: Model, head: Head, images: ImageSet, how: str, batch: int = 64, most: int | None = None
) -> pd.DataFrame:
    """Columns ``condition``, ``image``, ``rank``. Conditions: full, foreground, background, and, as control,
    the mean of all full images in place of each. Images without boxes are left out; of the others a fixed
    sample of at most ``most`` is taken. ``how`` names the preprocessing."""
    transform = preprocess(model.spec, how)
    known = images.has_boxes.nonzero()[0]
    if not len(known):
        raise InputError("no image has a box: check that boxes/<WordNet id>/<picture's name>.xml fit the pictures")
    known = known[spread(len(known), most)] if most else known
    labels = torch.tensor(images.labels)
    total = torch.zeros(3, model.spec.input_size, model.spec.input_size)
    frames = []
    for condition in CONDITIONS:
        chunks = batches(images, transform, known, batch, condition)
        for index, pictures in track(chunks, f"{model.spec.name} {condition}", len(known) / batch):
            logits = head(pictures.to(model.device)).cpu()
            frames.append(_frame(condition, index, rank_of_truth(logits, labels[index])))
            if condition == "full":
                total += pictures.sum(0)
    constant = head((total / max(len(known), 1))[None].to(model.device)).cpu()
    frames.append(_frame(MEAN_IMAGE, known, rank_of_truth(constant.expand(len(known), -1), labels[known])))
    return pd.concat(frames, ignore_index=True)


def _frame(condition: str, index, ranks: torch.Tensor) -> pd.DataFrame:
    return pd.DataFrame({"condition": condition, "image": index, "rank": ranks.numpy()})


def accuracy_table(ranks: pd.DataFrame) -> pd.DataFrame:
    """Percent of ranks below 1, 2 and 5 for each condition, with n."""
    groups = ranks.groupby("condition", sort=False)["rank"]
    columns = {f"top{k}": groups.apply(lambda rank, k=k: 100 * (rank < k).mean()) for k in (1, 2, 5)}
    return pd.DataFrame({**columns, "n": groups.size()}).reset_index()
