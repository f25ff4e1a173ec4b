"""What one model keeps of its accuracy under low-pass filters: the area under its own curve."""

from types import ModuleType

import pandas as pd

from vitexplore.statistics.intervals import Resampled


def own_terms(analysis: ModuleType, mine: pd.DataFrame) -> dict[str, Resampled]:
    chance, rows = 1 / int(mine["classes"].iloc[0]), analysis.at_one_size_each(mine)
    filters = {"ideal_area": analysis.IDEAL, "gaussian_area": analysis.GAUSSIAN}
    return {
        name: analysis.Curve(rows, filter, chance).area()
        for name, filter in filters.items()
        if filter in set(rows["filter"])
    }
