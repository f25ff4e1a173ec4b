"""What a CLIP of the lab understands of its captions: zero-shot accuracy for each factor, by prompt."""

import numpy as np
import pandas as pd
import torch
from scipy.stats import binomtest

from vitexplore.data.captions import factor_prompts
from vitexplore.data.loading import Loader
from vitexplore.measures.factors import factors_of
from vitexplore.models.heads import text_embeddings
from vitexplore.models.registry import Model, embed


@torch.no_grad()
def zero_shot_table(model: Model, loader: Loader) -> pd.DataFrame:
    """Columns ``factor``, ``accuracy`` with its interval ``low`` to ``high`` (Clopper and Pearson 1934), ``chance``
    (the most frequent value's share), ``images``. The value whose prompts' mean embedding is most like the image's is
    the answer (Radford et al. 2021, section 3.1)."""
    prompts = factor_prompts()
    texts = {factor: text_embeddings(model, list(values.values())) for factor, values in prompts.items()}
    answers: dict[str, list[int]] = {factor: [] for factor in prompts}
    for _, pictures in loader.batches(model.spec):
        embeddings = embed(model, pictures.to(model.device))
        for factor, text in texts.items():
            answers[factor] += (embeddings @ text).argmax(1).tolist()
    truth = factors_of(loader.images, loader.indices)
    rows = []
    for factor, values in prompts.items():
        hits = np.array(list(values))[answers[factor]] == truth[factor]
        interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(method="exact")
        chance = np.unique(truth[factor], return_counts=True)[1].max() / len(loader)
        row = {"factor": factor, "accuracy": hits.mean(), "low": interval.low, "high": interval.high}
        rows.append(row | {"chance": chance, "images": len(loader)})
    return pd.DataFrame(rows)
