"""Spatial locality, block by block, and in plain ViTs how attention pools (paper section 4, Fig. 2b)."""

from typing import Annotated

import pandas as pd
from pydantic import Field

from vitexplore.experiments import Cost, Experiment, Images, Options


class LocalityOptions(Options):
    images: Images = 300
    patch: Annotated[int, Field(ge=1, description="side in pixels of the patch that is exchanged")] = 32


def measure(model, loader, *, images: int, patch: int) -> pd.DataFrame:
    """A row for each block, measure and image; see measures/locality.py and measures/pooling.py."""
    from vitexplore.measures.locality import locality
    from vitexplore.measures.pooling import pooling
    from vitexplore.models.surgery import OpenViT

    shown = loader.sample(images)
    table = locality(model, shown, patch)
    if OpenViT.applies(model):
        table = pd.concat([table, pooling(model, shown)])
    return table


def cost(options: LocalityOptions, family: str) -> Cost:
    # statistics; measures on the image and on a changed one, for which another is read; in two passes, the model and
    # its attention, which is computed a second time
    passes, reads = (3, 3) if family == "cnn" else (7, 5)
    return Cost(passes * options.images, reads * options.images)


EXPERIMENT = Experiment(
    measure, LocalityOptions, tables={"locality": ("block", "measure", "image", "value")}, cost=cost
)
