"""Spatial locality, block by block (paper section 4, Fig. 2b)."""

from typing import Annotated

import pandas as pd
from pydantic import Field

from vitexplore.experiments import Cost, Experiment, Images, Options


class LocalityOptions(Options):
    images: Images = 300
    patch: Annotated[int, Field(ge=1, description="side in pixels of the patch that is exchanged")] = 32


def measure(model, loader, *, images: int, patch: int) -> pd.DataFrame:
    """A row for each block, measure and image; see measures/locality.py."""
    from vitexplore.measures.locality import locality

    return locality(model, loader.sample(images), patch)


EXPERIMENT = Experiment(
    measure,
    LocalityOptions,
    tables={"locality": ("block", "measure", "image", "value")},
    # statistics; measures on the image and on a changed one, for which another is read
    cost=lambda options, family: Cost(3 * options.images, 3 * options.images),
)
