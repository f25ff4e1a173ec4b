"""How many concepts one model's best features tell beyond what the pixels tell."""

from types import ModuleType

import numpy as np
import pandas as pd

from vitexplore.statistics.intervals import Resampled, mean_of


def own_terms(analysis: ModuleType, mine: pd.DataFrame) -> dict[str, Resampled]:
    """The mean excess over concepts, of each kind: what the counts are made of."""
    every = np.unique(np.concatenate(mine["held_images"].to_list()))
    kinds = mine.drop_duplicates("concept").set_index("concept")["kind"]
    found = analysis.by_concept(analysis.known(mine), every)
    parts = {"concepts": list(found.values())}
    parts |= {
        name: [one for concept, one in found.items() if kinds[concept] == kind] for name, kind in analysis.KINDS.items()
    }
    return {name: mean_of(each) for name, each in parts.items() if each}
