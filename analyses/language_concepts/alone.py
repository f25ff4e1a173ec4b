"""What one model's best features tell of concepts beyond what the pixels tell."""

from types import ModuleType

import numpy as np
import pandas as pd

from vitexplore.statistics.intervals import Resampled


def own_terms(analysis: ModuleType, mine: pd.DataFrame) -> dict[str, Resampled]:
    known, every = mine[analysis.answered(mine)], np.unique(np.concatenate(mine["held_images"].to_list()))
    return {name: analysis.mean_excess(known[known["kind"].isin(k)], every) for name, k in analysis.KINDS.items()}
