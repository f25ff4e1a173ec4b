"""How one model's information on the class goes with depth, and that on simple things."""

from types import ModuleType

import pandas as pd

from vitexplore.statistics.intervals import Jackknifed


def own_terms(analysis: ModuleType, mine: pd.DataFrame) -> dict[str, Jackknifed]:
    courses = analysis.Courses(mine)
    found = {name: one.each for name, one in analysis.rises({"": courses}, courses).items()}
    least = min((each[""] for each in found.values()), key=lambda term: term.value)
    if mine["family"].iloc[0] == "cnn":
        return {"class_rises_cnn": least}
    apart = {f"{factor}_first": one.each[""] for factor, one in analysis.later({"": courses}, courses).items()}
    return {"class_rises": least} | apart
