"""What the claims on token mixing share: hits from the table's ranks, and accuracy above chance as a share."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vitexplore.claims.decide import named
from vitexplore.statistics.intervals import Estimate, Resampled, combined, resampled_mean, resampled_means

PAPER_MODEL = "timm/vit_base_patch16_384.orig_in21k_ft_in1k"  # of Table 1
TOLERANCE = 0.5  # points: rounding and decoding of JPEGs, on 50,000 images whose own standard error is 0.16


def hits(mine: pd.DataFrame, surgery: str, k: int = 1) -> np.ndarray:
    """bool [at, images]: whether the class is among the first ``k`` answers; ``mine`` has one model's rows."""
    rows = mine[mine["surgery"] == surgery].sort_values("at")
    return np.stack(rows["rank"].to_list()) < k


def with_cls(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of models with a CLS token; of those that decide, the paper's where it is there."""
    has = table.groupby("model")["surgery"].transform(lambda surgeries: "isolated_cls" in set(surgeries))
    return named(table[has], PAPER_MODEL)


def share(found: np.ndarray, natural: np.ndarray, chance: float) -> Resampled:
    """``found`` (float [images], a share of hits) above chance, over ``natural`` above chance."""
    return combined(lambda part, whole: (part - chance) / (whole - chance), *resampled_means([found, natural]))


def natural_room(naturals: Sequence[np.ndarray], chance: float) -> list[Estimate]:
    """Each model's natural top-1 above chance: a share of nothing says nothing."""
    return [resampled_mean(natural - chance).estimate() for natural in naturals]
