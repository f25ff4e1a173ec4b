"""What one model keeps of its accuracy on backgrounds and on foregrounds alone."""

from types import ModuleType

import pandas as pd

from vitexplore.measures.accuracy import top_k
from vitexplore.statistics.intervals import Resampled


def own_terms(analysis: ModuleType, mine: pd.DataFrame) -> dict[str, Resampled]:
    classes = int(mine["classes"].iloc[0])
    k = top_k(classes)
    model = analysis.Network(mine[mine["size"] == "own"], k, k / classes)
    return {f"{condition}_alone": model.kept(condition, analysis.BLACK) for condition in ("background", "foreground")}
