"""What the claims on token mixing share: whose rows decide, and when there is room to decide."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vitexplore.statistics.intervals import Estimate, resampled_mean

PAPER_MODEL = "timm/vit_base_patch16_384.orig_in21k_ft_in1k"  # of Table 1
IMAGES = 50_000  # of Table 1: ImageNet's validation images
TOLERANCE = 0.5  # points: rounding and decoding of JPEGs, on 50,000 images whose own standard error is 0.16


def with_cls(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of models with a CLS token; those of Table 1's model alone, where it is there."""
    table = table[table.groupby("model")["surgery"].transform(lambda surgeries: "isolated_cls" in set(surgeries))]
    own = table["architecture"].astype(str).eq(PAPER_MODEL)
    return table[own] if own.any() else table


def natural_room(naturals: Sequence[np.ndarray], chance: float) -> list[Estimate]:
    """Each model's natural top-1 above chance: a share of nothing says nothing."""
    return [resampled_mean(natural - chance).estimate() for natural in naturals]
