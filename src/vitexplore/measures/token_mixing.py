"""Last-block globalization (paper section 4, Table 1, Fig. 5): what CLS needs of the earlier blocks, and
what each patch alone knows of the class."""

from collections import deque
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.data.loading import Loader
from vitexplore.errors import InputError
from vitexplore.measures.ranks import rank_of_truth
from vitexplore.models.heads import Head
from vitexplore.models.registry import Model
from vitexplore.models.surgery import OpenViT, Pooled, cut_open

GROUP = 32  # images that exchange patches with each other, at least: enough for others to be unlike, few enough to hold
Surgery = tuple[str, np.ndarray, Tensor]  # its name, indices of some images (in order), logits [at, b, classes]


def isolated_cls(vit: OpenViT, tokens: Tensor, joined: Collection[int] | None = None) -> Tensor:
    """CLS's final logits [k, b, classes] when it joins before block k, for each k of ``joined`` in rising order, 0 to
    blocks for None. Before, the patches run on their own and CLS runs on its own, with no patches: a constant. At k = 0
    that is the whole model; at k = blocks CLS never meets a patch. ``tokens`` enter block 0. The prefixes are shared,
    so all k cost about half of that many passes."""
    depth = len(vit.blocks)
    joined = range(depth + 1) if joined is None else joined
    cls, patches = tokens[:1, : vit.prefix], tokens[:, vit.prefix :]
    logits = []
    for k in range(depth + 1):
        if k in joined:
            whole = torch.cat([cls.expand(len(tokens), -1, -1), patches], dim=1)
            last = vit.run(whole, k, depth) if k < depth else whole
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


def other_images(count: int, positions: int, rng: np.random.Generator) -> np.ndarray:
    """For each of ``count`` images and each position another one of them: int64 [count, positions]. At a position it is
    for all images the one as many places on, round, so that each is taken once; how many is drawn for each position.
    Raises InputError for a single image."""
    if count < 2:
        raise InputError("one image has no other to exchange patches with; show at least two")
    return (np.arange(count)[:, None] + rng.integers(1, count, positions)) % count


def exchanged(tokens: Tensor, others: np.ndarray, prefix: int) -> Tensor:
    """``tokens`` [b, n, c] with each patch token (those after the first ``prefix``) taken from the image that
    ``others`` (int64 [b, p]) names."""
    patches = tokens[:, prefix:][others, np.arange(others.shape[1])]
    return torch.cat([tokens[:, :prefix], patches], dim=1)


class Groups:
    """The tokens of ``count`` images, which come in batches, handed on in groups that rest on the images' order alone:
    what is exchanged within a group does not depend on the batches. A group has GROUP images or a few more, all of them
    where there are fewer."""

    def __init__(self, count: int) -> None:
        parts = np.array_split(np.arange(count), max(1, count // GROUP))
        self._sizes = deque(map(len, parts))
        self._waiting: deque[tuple[int, Tensor]] = deque()

    def add(self, index: np.ndarray, tokens: Tensor) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Take a batch, ``tokens`` [b, n, c] of the images ``index``; yield the groups that it makes whole."""
        self._waiting.extend(zip(index.tolist(), tokens, strict=True))
        while self._sizes and len(self._waiting) >= self._sizes[0]:
            group = [self._waiting.popleft() for _ in range(self._sizes.popleft())]
            yield np.array([image for image, _ in group]), torch.stack([each for _, each in group])


@torch.no_grad()
def token_mixing_ranks(model: Model, head: Head, loader: Loader, joined: Sequence[int] | None = None) -> pd.DataFrame:
    """Columns ``surgery``, ``at`` and ``rank`` (an array: int16 [images], in the loader's order), for a plain ViT with
    a CLS token. Surgeries: ``natural`` (at: 0); ``isolated_cls`` (at: k, of ``joined`` and beside them 0 and the
    number of blocks, which are whole and never; every k for None) and ``cls_only`` (at: k); ``head_on_patch`` (at:
    position) and ``head_on_patch_before``, the same before the last block (the logit lens: nostalgebraist 2020);
    ``head_on_random_patch`` (at: 0; a position drawn for each image); ``head_on_mean_patch`` and
    ``head_on_mean_token`` (at: 0; the mean of tokens after the final norm, as in the released code). In the controls
    patch tokens come from other images before the last block: ``exchanged_patch``, ``exchanged_patch_before`` (at:
    position) and ``exchanged_cls`` (at: 0), the head on CLS among them.
    Of a model that averages its positions instead (Swin, ViTs without CLS) there are natural, head_on_patch and
    head_on_random_patch: it has no CLS to isolate, and its natural way is the head on the mean patch. Raises InputError
    for any other model, and for a single image."""
    opened = cut_open(model, head)
    if isinstance(opened, Pooled):
        surgeries, at_of = _of_pooled(opened, model, loader), {}
    else:
        depth = len(opened.blocks)
        at = range(depth + 1) if joined is None else sorted({0, depth, *joined})
        if at[-1] > depth:
            raise InputError(f"{model.spec.name} has {depth} blocks: CLS cannot join before block {at[-1]}")
        surgeries, at_of = _of_vit(opened, model, loader, at), {"isolated_cls": at}
    ranks: dict[str, list[np.ndarray]] = {}
    for surgery, index, logits in surgeries:
        labels = torch.from_numpy(loader.images.labels[index]).to(model.device)
        ranks.setdefault(surgery, []).append(rank_of_truth(logits, labels).cpu().numpy())
    rows = [
        {"surgery": surgery, "at": at, "rank": rank}
        for surgery, parts in ranks.items()
        for at, rank in _placed(np.concatenate(parts, axis=1), at_of.get(surgery))
    ]
    return pd.DataFrame(rows)


def _placed(ranks: np.ndarray, at: Sequence[int] | None) -> Iterator[tuple[int, np.ndarray]]:
    """The rows of ``ranks``, each with where it is: of ``at``, else its number."""
    return zip(range(len(ranks)) if at is None else at, ranks, strict=True)


def _of_vit(vit: OpenViT, model: Model, loader: Loader, joined: Sequence[int]) -> Iterator[Surgery]:
    """Logits [at, b, classes] of each surgery."""
    last, groups, rng = len(vit.blocks) - 1, Groups(len(loader)), np.random.default_rng(0)
    for index, pictures in loader.batches(model.spec):
        tokens = vit.embed(pictures.to(model.device))
        isolated = isolated_cls(vit, tokens, joined)
        yield "natural", index, isolated[:1]
        yield "isolated_cls", index, isolated
        yield "cls_only", index, cls_only(vit, tokens)
        before = vit.run(tokens, 0, last)
        normed = vit.normed(vit.run(before, last, last + 1))
        patches = normed[:, vit.prefix :]
        each = vit.head(patches).transpose(0, 1)
        yield "head_on_patch", index, each
        yield "head_on_patch_before", index, vit.classify(before[:, vit.prefix :]).transpose(0, 1)
        yield "head_on_random_patch", index, _one_each(each, index, len(loader.images))
        yield "head_on_mean_patch", index, vit.head(patches.mean(1))[None]
        yield "head_on_mean_token", index, vit.head(normed.mean(1))[None]
        for group, waited in groups.add(index, before):
            mixed = exchanged(waited, other_images(len(group), patches.shape[1], rng), vit.prefix)
            after = vit.classify(vit.run(mixed, last, last + 1)).transpose(0, 1)
            yield "exchanged_cls", group, after[:1]
            yield "exchanged_patch", group, after[vit.prefix :]
            yield "exchanged_patch_before", group, vit.classify(mixed[:, vit.prefix :]).transpose(0, 1)


def _of_pooled(opened: Pooled, model: Model, loader: Loader) -> Iterator[Surgery]:
    """The same."""
    for index, pictures in loader.batches(model.spec):
        positions = opened.positions(pictures.to(model.device))
        each = opened.classify(positions).transpose(0, 1)
        yield "natural", index, opened.classify(positions.mean(1))[None]
        yield "head_on_patch", index, each
        yield "head_on_random_patch", index, _one_each(each, index, len(loader.images))


def _one_each(each: Tensor, index: np.ndarray, count: int) -> Tensor:
    """Of ``each`` [positions, b, classes] one position for each of the images ``index``, drawn for all ``count`` images
    of the set, so that it depends neither on the batch nor on the sample: [1, b, classes]."""
    drawn = np.random.default_rng(0).integers(len(each), size=count)[index]
    return each[drawn, np.arange(len(index))][None]
