"""What one model keeps of its accuracy on backgrounds and on foregrounds alone."""

from types import ModuleType

import pandas as pd

from vitexplore.data.masks import FILLS
from vitexplore.measures.accuracy import top_k
from vitexplore.statistics.intervals import Resampled


def own_terms(analysis: ModuleType, mine: pd.DataFrame) -> dict[str, Resampled]:
    classes = int(mine["classes"].iloc[0])
    k = top_k(classes)
    model = analysis.Family(mine[mine["size"] == "own"], k, k / classes)
    return {f"{condition}_alone": model.kept(condition, FILLS[0]) for condition in ("background", "foreground")}
