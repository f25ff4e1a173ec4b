"""Section 3: the full recipe against each of its parts left out."""

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, NotTested, by_model, deciding
from vitexplore.claims.pictures import ceilings, of_feature, summary_of, usable
from vitexplore.figures import plots
from vitexplore.statistics.intervals import Means

PARTS = ("tv", "jitter", "colour_shift", "gaussian", "ensembling", "noise_alone")
RECIPES = ("paper", "released")
SHOWN = 6  # features of each variant in the figure


def gain(name: str, mine: pd.DataFrame, recipe: str, part: str, column: str) -> Means:
    """``column`` with the part minus without it, feature by feature."""
    by_variant = dict(list(mine.groupby("variant")))
    whole, less = (of_feature(by_variant[variant], column) for variant in (recipe, f"{recipe}-{part}"))
    return Means({f"{name} {recipe}": whole - less})


def analyse(table: pd.DataFrame) -> Analysis:
    vits = by_model(deciding(table), "vit")
    wanted = {name for recipe in RECIPES for name in (recipe, *(f"{recipe}-{part}" for part in PARTS))}
    if missing := wanted - set(table["variant"]):
        raise NotTested(f"needs both recipes, whole and less each part; {sorted(missing)[0]} is missing")
    usable(pd.concat(vits.values()))
    room = [ceilings(mine) for mine in vits.values()]
    statements = {
        part: Measured({recipe: without(vits, recipe, part) for recipe in RECIPES}, list(vits), room) for part in PARTS
    }
    summary = summary_of(table, ["model", "variant"])
    first, mine = next(iter(vits.items()))
    figures = {"augmentations": pictures(mine), "augmentations_scores": bars(summary[summary["model"] == first])}
    return Analysis(statements, summary, figures)


def without(vits: dict[str, pd.DataFrame], recipe: str, part: str) -> Comparison:
    """The whole recipe minus the one without ``part``; the control, with the next feature's pictures."""
    each = {name: gain(name, mine, recipe, part, "identification") for name, mine in vits.items()}
    name, mine = next(iter(vits.items()))
    return Comparison(each, gain(name, mine, recipe, part, "identification_other"))


def pictures(mine: pd.DataFrame) -> Figure:
    """One row a variant of the recipe, the same features in each."""
    rows = []
    for variant, each in mine.groupby("variant", sort=False):
        first = each.iloc[:SHOWN]
        above = [f"{row.feature}: {row.identification:.2f}" for row in first.itertuples()]
        rows.append(
            (
                variant.replace("-", "\nwithout ").replace("without noise_alone", "noise alone"),
                list(first["picture"]),
                above,
            )
        )
    return plots.picture_rows(rows, "What each part of a recipe does; above each the judge's AUROC (chance 0.5)")


def bars(summary: pd.DataFrame) -> Figure:
    """Identification of the whole recipes and of each less a part."""
    parts = summary["variant"].str.partition("-")
    rows = summary.assign(recipe=parts[0], part=parts[2].replace("", "whole").str.replace("_", "\n"))
    labels = ("left out", "identification (rank AUROC, chance 0.5)")
    figure = plots.bars(rows, "part", "identification", "recipe", "What a recipe loses with each of its parts", labels)
    figure.axes[0].axhline(0.5, color="black", linestyle="--")
    figure.set_figwidth(9)
    return figure
