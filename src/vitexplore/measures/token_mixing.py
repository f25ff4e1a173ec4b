"""Last-block globalization (paper section 4, Table 1, Fig. 5): what CLS needs of the earlier blocks, and
what each patch alone knows of the class."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.data.loading import Loader
from vitexplore.measures.ranks import rank_of_truth
from vitexplore.models.heads import Head
from vitexplore.models.registry import Model
from vitexplore.models.surgery import OpenViT, Pooled, cut_open


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


def cls_only(vit: OpenViT, tokens: Tensor) -> Tensor:
    """CLS's final logits [blocks + 1, b, classes] when the patches are dropped before block k, for every k: CLS goes on
    alone with what it has gathered. At k = blocks that is the whole model. One pass of all tokens is shared."""
    depth = len(vit.blocks)
    logits = []
    for k in range(depth + 1):
        logits.append(vit.classify(vit.run(tokens[:, : vit.prefix], k, depth)[:, 0]))
        if k < depth:
            tokens = vit.run(tokens, k, k + 1)
    return torch.stack(logits)


def exchanged(patches: Tensor, exchange: Tensor) -> Tensor:
    """``patches`` [b, p, c], each taken from the image that ``exchange`` (int64 [b, p]) names."""
    return patches[exchange, torch.arange(exchange.shape[1], device=patches.device)]


def last_tokens(vit: OpenViT, tokens: Tensor, exchange: Tensor | None = None) -> Tensor:
    """All tokens after the last block. With ``exchange`` (the control) each patch token is taken from another image
    before that block."""
    depth = len(vit.blocks)
    before = vit.run(tokens, 0, depth - 1)
    if exchange is not None:
        before = torch.cat([before[:, : vit.prefix], exchanged(before[:, vit.prefix :], exchange)], dim=1)
    return vit.run(before, depth - 1, depth)


@torch.no_grad()
def token_mixing_ranks(model: Model, head: Head, loader: Loader) -> pd.DataFrame:
    """Columns ``surgery``, ``at``, ``image``, ``rank``, for a plain ViT with a CLS token. Surgeries: ``natural`` (at:
    0); ``isolated_cls`` and ``cls_only`` (at: k); ``head_on_patch`` (at: position); ``head_on_random_patch``,
    ``head_on_mean_patch`` and ``head_on_mean_token`` (at: 0); and ``exchanged_patch`` (at: position), the control in
    which patch tokens come from other images before the last block. Of a model that averages its positions instead
    (Swin, ViTs without CLS) there are natural, head_on_patch and head_on_random_patch: it has no CLS to isolate, and
    its natural way is the head on the mean patch. Raises InputError for any other model."""
    opened = cut_open(model, head)
    generator = torch.Generator().manual_seed(0)
    frames = []
    for index, pictures in loader.batches(model.spec):
        labels = torch.from_numpy(loader.images.labels[index]).to(model.device)
        surgeries = _of_pooled if isinstance(opened, Pooled) else _of_vit
        for surgery, logits in surgeries(opened, pictures.to(model.device), generator).items():
            frames.append(_frame(surgery, rank_of_truth(logits, labels).cpu().numpy(), index))
    return pd.concat(frames, ignore_index=True)


def _of_vit(vit: OpenViT, pictures: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Logits [at, b, classes] of each surgery."""
    tokens = vit.embed(pictures)
    isolated = isolated_cls(vit, tokens)
    last = last_tokens(vit, tokens)
    patches = last[:, vit.prefix :]
    offsets = torch.randint(1, max(len(tokens), 2), (patches.shape[1],), generator=generator)
    exchange = ((torch.arange(len(tokens))[:, None] + offsets) % len(tokens)).to(tokens.device)
    each = vit.classify(patches).transpose(0, 1)
    return {
        "natural": isolated[:1],
        "isolated_cls": isolated,
        "cls_only": cls_only(vit, tokens),
        "head_on_patch": each,
        "head_on_random_patch": _one_each(each, generator),
        "head_on_mean_patch": vit.classify(patches.mean(1))[None],
        "head_on_mean_token": vit.classify(last.mean(1))[None],
        "exchanged_patch": vit.classify(last_tokens(vit, tokens, exchange)[:, vit.prefix :]).transpose(0, 1),
    }


def _of_pooled(model: Pooled, pictures: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    positions = model.positions(pictures)
    each = model.classify(positions).transpose(0, 1)
    return {
        "natural": model.classify(positions.mean(1))[None],
        "head_on_patch": each,
        "head_on_random_patch": _one_each(each, generator),
    }


def _one_each(each: Tensor, generator: torch.Generator) -> Tensor:
    """Of ``each`` [positions, b, classes] a position drawn for every image: [1, b, classes]."""
    positions, count = each.shape[:2]
    drawn = torch.randint(positions, (count,), generator=generator).to(each.device)
    return each[drawn, torch.arange(count, device=each.device)][None]


def _frame(surgery: str, ranks: np.ndarray, index: np.ndarray) -> pd.DataFrame:
    """``ranks`` [at, b]."""
    at = np.repeat(np.arange(len(ranks)), len(index)).astype(np.int16)
    return pd.DataFrame({"surgery": surgery, "at": at, "image": np.tile(index, len(ranks)), "rank": ranks.reshape(-1)})
