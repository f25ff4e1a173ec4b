"""Appendix: are features of the other families visualized as ViT's are?"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, by_model, deciding
from vitexplore.claims.pictures import ceilings, summary_of, told, usable, visualized
from vitexplore.figures import plots
from vitexplore.figures.feature_rows import CROSSED_OUT, OF_JUDGE, drawn, judged
from vitexplore.statistics.intervals import Means

SHOWN = 6  # features of each family in the figure


def analyse(table: pd.DataFrame) -> Analysis:
    first = table["variant"].iloc[0]  # the first recipe decides, the others are in the table beside it
    families = by_model(deciding(table[table["variant"] == first]), "vit")
    usable(pd.concat(families.values()))
    gate = [ceilings(pd.concat(families.values()))]
    seen = {name: mine for name, mine in families.items() if visualized(mine)}  # the others have no room
    statements = {
        "identification": Measured({"": identified(seen)} if seen else {}, list(seen or families), gate),
        "beats_natural": Measured({"": beats(seen)} if seen else {}, list(seen or families), gate),
    }
    figures = {"variants": pictures(pd.concat(seen.values()), first)} if seen else {}
    return Analysis(statements, summary_of(table, ["variant", "model", "block"]), figures)


def of_each(families: dict[str, pd.DataFrame], values: dict[str, pd.Series]) -> dict[str, Means]:
    return {name: Means({name: values[name].to_numpy(np.float64)}) for name in families}


def identified(families: dict[str, pd.DataFrame]) -> Comparison:
    """How well a judge tells a feature by its picture, less its ceiling; the control, by the next feature's picture."""

    def less_ceiling(column: str) -> dict[str, Means]:
        less = {name: told(mine, column) - mine["identification_natural"] for name, mine in families.items()}
        return of_each(families, less)

    return Comparison(less_ceiling("identification"), less_ceiling("identification_other"))


def beats(families: dict[str, pd.DataFrame]) -> Comparison:
    """The share of features that their picture, clean, drives more than any natural image; the control, the next
    feature's picture."""

    def share(column: str) -> dict[str, Means]:
        return of_each(families, {name: mine[column] > mine["natural"] for name, mine in families.items()})

    return Comparison(share("score"), share("score_other"))


def pictures(table: pd.DataFrame, recipe: str) -> Figure:
    """One row a family, its first features, by the recipe that decides."""
    rows = []
    for model, mine in drawn(table).groupby("model", sort=False):
        rows.append((f"{model}\nblock {mine['block'].iloc[0]}", list(map(judged, mine[:SHOWN].itertuples()))))
    title = f"Features of each family of transformers, recipe {recipe}"
    return plots.picture_rows(rows, title, f"{OF_JUDGE} {CROSSED_OUT}")
