"""How one model's information on class and texture goes with depth."""

from types import ModuleType

import pandas as pd

from vitexplore.statistics.intervals import Jackknifed


def own_terms(analysis: ModuleType, mine: pd.DataFrame) -> dict[str, Jackknifed]:
    cnn = mine["family"].iloc[0] == "cnn"
    found = {"class_rises_cnn" if cnn else "class_rises": analysis.tau(mine, "class")}
    return found if cnn else found | {"texture_falls": analysis.tau(mine, "texture")}
