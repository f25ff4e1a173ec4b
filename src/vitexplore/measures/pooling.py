"""Is the last block's attention a learned global pooling (paper section 4, appendix F)?

For each block of a plain ViT: ``entropy``, that of the attention weights over all keys, as a share of a uniform
one's (1: every token is weighed alike), mean over heads and queries; and how well the plain mean of all values stands
in for what the heads put out, by R2 = 1 - residual / total. Both for the CLS query and for the patches' queries.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.data.loading import Loader
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


@torch.no_grad()
def pooling(model: Model, head: Head, loader: Loader) -> pd.DataFrame:
    """Columns ``block``, ``measure`` (entropy, residual and total of each of QUERIES, such as ``entropy_cls``),
    ``image``, ``value``. Two passes over the images: the first for the outputs' means. Raises InputError for a model
    that is no plain ViT."""
    vit = OpenViT(model, head)
    depth = len(vit.blocks)
    sums: dict[tuple[int, str], Tensor] = {}
    counts = dict.fromkeys(QUERIES, 0)
    frames = []
    for measuring in (False, True):
        for index, pictures in loader.batches(model.spec):
            tokens = vit.embed(pictures.to(model.device))
            for block in range(depth):
                weights, values = vit.attention(tokens, block)
                rows = {"cls": slice(0, 1), "patches": slice(vit.prefix, None)}
                for query in QUERIES:
                    mine = weights[:, :, rows[query]]
                    outputs = mine @ values
                    key = block, query
                    if not measuring:
                        sums[key] = sums.get(key, 0) + outputs.sum((0, 2), keepdim=True)[0].double()
                        counts[query] += len(index) * mine.shape[2] if block == 0 else 0
                        continue
                    mean = (sums[key] / counts[query]).to(outputs.dtype)
                    residual, total = plain_mean_errors(outputs, values, mean)
                    for name, value in (("entropy", entropy(mine)), ("residual", residual), ("total", total)):
                        columns = {"block": block, "measure": f"{name}_{query}", "image": index}
                        frames.append(pd.DataFrame({**columns, "value": value.double().cpu().numpy()}))
                tokens = vit.run(tokens, block, block + 1)
    return pd.concat(frames, ignore_index=True)
