"""Appendix: are features of the other families visualized as ViT's are?"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, by_model, deciding
from vitexplore.claims.pictures import ceilings, summary_of, usable, visualized
from vitexplore.figures import plots
from vitexplore.figures.feature_rows import CROSSED_OUT, OF_JUDGE, drawn, judged
from vitexplore.statistics.intervals import Means, mean_of

SHOWN = 6  # features of each family in the figure


def analyse(table: pd.DataFrame) -> Analysis:
    decides, shown = table["variant"].iloc[0], table["variant"].iloc[-1]  # the first recipe, and the last
    families = by_model(deciding(table[table["variant"] == decides]), "vit")
    usable(pd.concat(families.values()))
    statements = {"identification": identified(families), "beats_natural": beats(families)}
    summary = summary_of(table, ["variant", "model", "block"])
    return Analysis(statements, summary, {"variants": pictures(table[table["variant"] == shown], shown)})


def with_room(families: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The families that were visualized."""
    return {name: mine for name, mine in families.items() if visualized(mine)}


def mean(name: str, values: pd.Series) -> Means:
    return Means({name: values.to_numpy(np.float64)})


def identified(families: dict[str, pd.DataFrame]) -> Measured:
    """Identification less its ceiling, of all features; the control, with the next feature's picture."""
    gate, each, controls = [ceilings(pd.concat(families.values()))], {}, []
    for name, mine in with_room(families).items():
        each[name] = mean(name, mine["identification"] - mine["identification_natural"])
        controls.append(mean(name, mine["identification_other"] - mine["identification_natural"]))
    return Measured.one(each, mean_of(controls), gate=gate) if each else Measured({}, list(families), gate)


def beats(families: dict[str, pd.DataFrame]) -> Measured:
    """The share of features that their picture, clean, drives more than any natural image; the control, the next
    feature's picture."""
    seen = with_room(families)
    each = {name: mean(name, mine["score"] > mine["natural"]) for name, mine in seen.items()}
    controls = [mean(name, mine["score_other"] > mine["natural"]) for name, mine in seen.items()]
    return Measured.one(each, mean_of(controls)) if each else Measured({}, list(families))


def pictures(table: pd.DataFrame, recipe: str) -> Figure:
    """One row a family, its first features."""
    rows = []
    for model, mine in drawn(table[~table["random_weights"]]).groupby("model", sort=False):
        rows.append((f"{model}\nblock {mine['block'].iloc[0]}", list(map(judged, mine[:SHOWN].itertuples()))))
    title = f"Features of each family of transformers, recipe {recipe}"
    return plots.picture_rows(rows, title, f"{OF_JUDGE} {CROSSED_OUT}")
