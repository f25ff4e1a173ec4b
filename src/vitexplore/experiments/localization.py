"""Activation maps against the objects' masks (paper Figs. 2a and 4)."""

from typing import Annotated

import pandas as pd
from pydantic import Field

from vitexplore.experiments import Cost, Experiment, Images, Options


class LocalizationOptions(Options):
    images: Images = 300
    features: Annotated[int, Field(ge=10, description="features of each block at most")] = 256


def measure(model, loader, *, images: int, features: int) -> pd.DataFrame:
    """AUROC of each feature's map against each object's mask; see measures/localization.py."""
    from vitexplore.measures.localization import localization

    return localization(model, loader.with_boxes().sample(images), features)


EXPERIMENT = Experiment(
    measure,
    LocalizationOptions,
    tables={"localization": ("block", "feature", "image", "auroc", "control")},
    needs=("boxes",),
    cost=lambda options, family: Cost(options.images, options.images),
)
