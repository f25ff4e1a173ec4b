"""What one model keeps of its accuracy under low-pass filters: the area under its own curve."""

from types import ModuleType

import pandas as pd

from vitexplore.statistics.intervals import Resampled


def own_terms(analysis: ModuleType, mine: pd.DataFrame) -> dict[str, Resampled]:
    chance, rows = 1 / int(mine["classes"].iloc[0]), analysis.at_one_size(mine)
    return {name: analysis.Curves(rows, filter, chance).area() for name, filter in analysis.filters_of(rows).items()}
