"""Is the last block's attention a learned global pooling (paper section 4, appendix F)?

For each block of a plain ViT: ``entropy``, that of the attention weights over all keys, as a share of a uniform
one's (1: every token is weighed alike), mean over heads and queries; and how well the plain mean of all values stands
in for what the heads put out, by R2 = 1 - residual / total. Both for the CLS query and for the patches' queries.

And what of it reaches the patches. W[p, c] is what attention writes into the residual stream of patch p, X[p, c] the
stream that enters the block, both less their means over images. For each image and block of P patches (``positions``):

    write_common = P * sum_c (mean_p W[p, c])^2,  write = sum_pc W[p, c]^2,  stream = sum_pc X[p, c]^2

A block that pools writes the same into all patches: write_common / write is 1. Of patches that are independent it is
1 / P on average, so that the share that is common to all positions is (write_common / write - 1 / P) / (1 - 1 / P).
Where ``write`` is a tiny part of ``stream`` the share is one of next to nothing: it counts as 0.

And whether pooling is what a block is for. In its place, all else left as it is, every token takes the plain mean over
all tokens (``uniform``), or nothing but itself (``unmixed``): 1 where the classifier still gives the image's class, 0
where not, beside ``natural``, the model as it is. Of a block that pools the first keeps what the second loses; of one
whose attention does nothing both keep it all.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.data.loading import Loader
from vitexplore.measures.ranks import rank_of_truth
from vitexplore.models.heads import Head
from vitexplore.models.registry import Model
from vitexplore.models.surgery import OpenViT

QUERIES = ("cls", "patches")


def entropy(weights: Tensor) -> Tensor:
    """Entropy of attention ``weights`` [b, heads, queries, keys] over keys, as a share of a uniform one's, mean over
    heads and queries: float [b], 0 to 1."""
    nats = torch.special.entr(weights).sum(-1)
    return nats.mean((1, 2)) / np.log(weights.shape[-1])


def plain_mean_errors(outputs: Tensor, values: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Squared errors, each [b], of two stand-ins for the heads' ``outputs`` [b, heads, queries, c]: of the plain mean
    of the ``values`` [b, heads, keys, c] (the residual), and of ``mean`` [heads, 1, c], one constant for all images and
    queries (the total)."""
    residual = (outputs - values.mean(2, keepdim=True)).pow(2).sum((1, 2, 3))
    return residual, (outputs - mean).pow(2).sum((1, 2, 3))


def common_to_positions(centred_bpc: Tensor) -> Tensor:
    """Squared sum of what is common to all positions, float [b]: at most that of the whole, and all of it where all
    positions are alike."""
    return centred_bpc.shape[1] * centred_bpc.mean(1).pow(2).sum(1)


@torch.no_grad()
def pooling(model: Model, loader: Loader, head: Head | None = None) -> pd.DataFrame:
    """Columns ``block``, ``measure`` (entropy, residual and total of each of QUERIES, such as ``entropy_cls``;
    ``write_common``, ``write``, ``stream``, ``positions``; and with a ``head`` for the images' classes ``natural``,
    ``uniform``, ``unmixed``), ``image``, ``value``. Two passes over the images: the first for the means over them.
    Raises InputError for a model that is no plain ViT."""
    vit = OpenViT(model, head)
    sums: dict[tuple[int, str], Tensor] = {}
    for _, block, tokens in _entering(vit, model, loader):
        for name, each in _attending(vit, block, tokens)[0].items():
            sums[block, name] = sums.get((block, name), 0) + each.sum(0, dtype=torch.float64)
    frames = []
    for index, block, tokens in _entering(vit, model, loader):
        means = {name: total / len(loader) for (of, name), total in sums.items() if of == block}
        values = _measures(vit, block, tokens, means)
        if head:
            labels = torch.from_numpy(loader.images.labels[index]).to(model.device)
            values |= _right(vit, block, tokens, labels)
        for measure, value in values.items():
            columns = {"block": block, "measure": measure, "image": index, "value": value.double().cpu().numpy()}
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _right(vit: OpenViT, block: int, tokens: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Whether the class is given with either rewiring of the block that ``tokens`` enter; at block 0 also by the whole
    model."""
    count, stop = tokens.shape[1], len(vit.blocks)
    weights = {"uniform": torch.full((count, count), 1 / count), "unmixed": torch.eye(count)}
    after = {name: vit.attend(tokens, block, each) for name, each in weights.items()}
    if block == 0:  # it is the same from every block on
        after["natural"] = vit.run(tokens, block, block + 1)
    return {
        name: rank_of_truth(vit.classify(vit.run(each, block + 1, stop)[:, 0]), labels) == 0
        for name, each in after.items()
    }


def _entering(vit: OpenViT, model: Model, loader: Loader) -> Iterator[tuple[np.ndarray, int, Tensor]]:
    """For each batch and block: indices of the images, the block, and the tokens that enter it."""
    for index, pictures in loader.batches(model.spec):
        tokens = vit.embed(pictures.to(model.device))
        for block in range(len(vit.blocks)):
            yield index, block, tokens
            tokens = vit.run(tokens, block, block + 1)


def _attending(vit: OpenViT, block: int, tokens: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Of the block that ``tokens`` enter: what is averaged over images (what the heads put out for each of QUERIES [b,
    heads, queries, c], ``write`` and ``stream`` [b, p, c]), attention weights of each of QUERIES [b, heads, queries,
    keys], and values [b, heads, keys, c]."""
    weights, values = vit.attention(tokens, block)
    of_query = {"cls": weights[:, :, :1], "patches": weights[:, :, vit.prefix :]}
    averaged = {query: mine @ values for query, mine in of_query.items()}
    averaged["write"] = vit.written(tokens, block)[:, vit.prefix :]
    averaged["stream"] = tokens[:, vit.prefix :]
    return averaged, of_query, values


def _measures(vit: OpenViT, block: int, tokens: Tensor, means: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each measure of each image, [b], with the ``means`` over images of what is averaged."""
    averaged, weights, values = _attending(vit, block, tokens)
    found = {}
    for query in QUERIES:
        mean = means[query].mean(1, keepdim=True).to(values.dtype)  # over queries too
        found[f"entropy_{query}"] = entropy(weights[query])
        found[f"residual_{query}"], found[f"total_{query}"] = plain_mean_errors(averaged[query], values, mean)
    write, stream = (averaged[name].double() - means[name] for name in ("write", "stream"))
    found["write_common"], found["write"] = common_to_positions(write), write.pow(2).sum((1, 2))
    found["stream"] = stream.pow(2).sum((1, 2))
    found["positions"] = torch.full_like(found["write"], write.shape[1])
    return found
