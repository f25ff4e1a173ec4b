"""What the claims on token mixing share: hits from the table's ranks, and accuracy above chance as a share."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vitexplore.claims.decide import named
from vitexplore.statistics.intervals import Bootstrap, Estimate, Resampled

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
    return Bootstrap({"images": len(natural)})(
        lambda images: (found[images].mean() - chance) / (natural[images].mean() - chance)
    )


def natural_room(naturals: Sequence[np.ndarray], chance: float) -> list[Estimate]:
    """Each model's natural top-1 above chance: a share of nothing says nothing."""
    return [Bootstrap({"images": len(n)})(lambda i, n=n: n[i].mean() - chance).estimate() for n in naturals]
