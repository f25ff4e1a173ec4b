"""A judge's description of each image: its embedding."""

import numpy as np
import pandas as pd

from vitexplore.experiments import Cost, Experiment, Images, Options


class EmbedOptions(Options):
    images: Images = 1000


def measure(model, loader, *, images: int) -> pd.DataFrame:
    """``embedding``: float32 [c], before the judge's classifier."""
    import torch

    from vitexplore.models.registry import embed

    rows, shown = [], loader.sample(images)
    with torch.no_grad():
        for _, pictures in shown.batches(model.spec):
            rows += list(embed(model, pictures.to(model.device)).cpu().numpy().astype(np.float32))
    return pd.DataFrame({"image": shown.indices, "embedding": rows})


EXPERIMENT = Experiment(
    measure,
    EmbedOptions,
    tables={"embed": ("image", "embedding")},
    models=lambda scale: scale.judges.values(),
    cost=lambda options, family: Cost(options.images, options.images),
)
