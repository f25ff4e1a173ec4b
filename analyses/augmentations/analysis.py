"""Section 3: the whole recipe against the optimization without augmentations, and with one of them alone."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, NotTested, by_model, deciding
from vitexplore.claims.pictures import ceilings, summary_of, told, usable, visualized
from vitexplore.figures import plots
from vitexplore.figures.feature_rows import CROSSED_OUT, OF_JUDGE, drawn, judged
from vitexplore.statistics.intervals import Means

# by statement, what the whole recipe is compared with: the end of that variant's label
ALONE = {
    "bare": "+nothing",
    "over_jitter": "+jitter",
    "over_colour_shift": "+colour_shift",
    "over_gaussian": "+gaussian",
}
LESS = {part: f"-{part}" for part in ("tv", "jitter", "colour_shift", "gaussian", "ensembling")}
NAMES = {"": "whole", **{end: f"{end[1:].replace('_', ' ')}\nalone" for end in ALONE.values()}, "+nothing": "bare"}
NAMES |= {end: f"without\n{end[1:].replace('_', ' ')}" for end in LESS.values()}
SHOWN = 8  # features of each variant in the figure


def analyse(table: pd.DataFrame) -> Analysis:
    recipe, *_ = table["variant"].iloc[0].partition("+")[0].partition("-")
    every = ALONE | LESS
    mine = table[table["variant"].isin([recipe + end for end in ("", *every.values())])]
    vits = by_model(deciding(mine), "vit")
    if missing := [end for end in ALONE.values() if recipe + end not in set(mine["variant"])]:
        raise NotTested(
            f"needs the recipe {recipe} whole, bare, and with each augmentation alone; {missing[0]} is missing"
        )
    usable(pd.concat(vits.values()))
    gate = [ceilings(found) for found in vits.values()]
    room = all(map(visualized, vits.values()))
    statements = {}
    for name, end in every.items():
        if recipe + end in set(mine["variant"]):
            comparisons = {"": gain(vits, recipe, end)} if room else {}
            statements[name] = Measured(comparisons, list(vits), gate)
        else:
            statements[name] = Measured.not_testable(f"the recipe {recipe}{end} is not drawn at this scale", list(vits))
    first = next(iter(vits.values()))
    figures = {"augmentations": pictures(first, recipe)} if room else {}
    return Analysis(statements, summary_of(mine, ["model", "variant"]), figures)


def gain(vits: dict[str, pd.DataFrame], recipe: str, end: str) -> Comparison:
    """How well a judge tells a feature by the whole recipe's picture minus by the other variant's, feature by feature;
    the control, by the next feature's pictures."""

    def of_each(column: str) -> dict[str, Means]:
        found = {}
        for name, mine in vits.items():
            whole, other = (values(mine[mine["variant"] == variant], column) for variant in (recipe, recipe + end))
            found[name] = Means({name: whole - other})
        return found

    return Comparison(of_each("identification"), of_each("identification_other"))


def values(mine: pd.DataFrame, column: str) -> np.ndarray:
    """In the order of features."""
    return told(mine.sort_values("feature"), column).to_numpy()


def pictures(mine: pd.DataFrame, recipe: str) -> Figure:
    """One row a variant, the same features in each."""
    rows = []
    for variant, each in drawn(mine).groupby("variant", sort=False):
        rows.append((NAMES[variant.removeprefix(recipe)], list(map(judged, each[:SHOWN].itertuples()))))
    title = f"{mine['model'].iloc[0]}: the recipe {recipe}, less of it, and without it"
    return plots.picture_rows(rows, title, f"{OF_JUDGE} {CROSSED_OUT}")
