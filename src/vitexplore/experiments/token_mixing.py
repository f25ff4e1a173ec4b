"""Last-block globalization (paper section 4, Table 1, Fig. 5): what CLS needs of the earlier blocks, and
what each patch alone knows of the class."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.data.images import ImageSet, batches, preprocess
from vitexplore.experiments.ranks import rank_of_truth
from vitexplore.models.heads import Head
from vitexplore.models.registry import Model
from vitexplore.models.surgery import OpenViT
from vitexplore.progress import track


def isolated_cls(vit: OpenViT, tokens: Tensor) -> Tensor:
    """CLS's final logits [blocks + 1, b, classes] when it joins before block k, for every k. Before, the
    patches run on their own and CLS runs on its own, with no patches: a constant. At k = 0 that is the
    whole model; at k = blocks CLS never meets a patch. ``tokens`` enter block 0. The prefixes are shared,
    so all k cost about half of that many passes."""
    depth = len(vit.blocks)
    cls, patches = tokens[:1, : vit.prefix], tokens[:, vit.prefix :]
    logits = []
    for k in range(depth + 1):
        joined = torch.cat([cls.expand(len(tokens), -1, -1), patches], dim=1)
        last = vit.run(joined, k, depth) if k < depth else joined
        logits.append(vit.classify(last[:, 0]))
        if k < depth:
            cls, patches = vit.run(cls, k, k + 1), vit.run(patches, k, k + 1)
    return torch.stack(logits)


def head_on_patches(vit: OpenViT, tokens: Tensor, exchange: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Logits of the classifier on each patch token after the last block [b, p, classes], and on their mean
    [b, classes]. With ``exchange`` (a permutation of images for each position, int64 [b, p]; the control)
    each patch token is taken from another image before the last block."""
    depth = len(vit.blocks)
    before = vit.run(tokens, 0, depth - 1)
    if exchange is not None:
        positions = torch.arange(exchange.shape[1], device=tokens.device)
        patches = before[:, vit.prefix :][exchange, positions]
        before = torch.cat([before[:, : vit.prefix], patches], dim=1)
    patches = vit.run(before, depth - 1, depth)[:, vit.prefix :]
    return vit.classify(patches), vit.classify(patches.mean(1))


@torch.no_grad()
def token_mixing_ranks(
    model: Model, head: Head, images: ImageSet, indices: np.ndarray, how: str, batch: int = 64
) -> pd.DataFrame:
    """Columns ``surgery``, ``at``, ``image``, ``rank``. Surgeries: ``isolated_cls`` (at: k),
    ``head_on_patch`` (at: position), ``head_on_mean_patch`` (at: 0), and ``exchanged_patch`` (at: position),
    the control in which patch tokens come from other images before the last block."""
    vit = OpenViT(model, head)
    transform = preprocess(model.spec, how)
    generator = torch.Generator().manual_seed(0)
    frames = []
    for index, pictures in track(batches(images, transform, indices, batch), model.spec.name, len(indices) / batch):
        tokens = vit.embed(pictures.to(model.device))
        labels = torch.from_numpy(images.labels[index]).to(model.device)
        isolated = rank_of_truth(isolated_cls(vit, tokens), labels)
        each, mean = head_on_patches(vit, tokens)
        offsets = torch.randint(1, max(len(index), 2), (each.shape[1],), generator=generator)
        exchange = ((torch.arange(len(index))[:, None] + offsets) % len(index)).to(model.device)
        exchanged, _ = head_on_patches(vit, tokens, exchange)
        ranks = {
            "isolated_cls": isolated,
            "head_on_patch": rank_of_truth(each, labels[:, None]).T,
            "head_on_mean_patch": rank_of_truth(mean, labels)[None],
            "exchanged_patch": rank_of_truth(exchanged, labels[:, None]).T,
        }
        frames += [_frame(surgery, values.cpu().numpy(), index) for surgery, values in ranks.items()]
    return pd.concat(frames, ignore_index=True)


def _frame(surgery: str, ranks: np.ndarray, index: np.ndarray) -> pd.DataFrame:
    """``ranks`` [at, b]."""
    at = np.repeat(np.arange(len(ranks)), len(index)).astype(np.int16)
    return pd.DataFrame({"surgery": surgery, "at": at, "image": np.tile(index, len(ranks)), "rank": ranks.reshape(-1)})
