"""Section 3: the full recipe against each of its parts left out."""

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, NotTested, by_model, deciding
from vitexplore.claims.pictures import ceilings, of_feature, summary_of, usable, visualized
from vitexplore.figures import plots
from vitexplore.figures.feature_rows import CROSSED_OUT, OF_JUDGE, judged
from vitexplore.statistics.intervals import Means

PARTS = ("tv", "jitter", "colour_shift", "gaussian", "ensembling", "noise_alone")
RECIPES = ("paper", "released")
SHOWN = 5  # features of each variant in the figure


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
    recipes = RECIPES if all(map(visualized, vits.values())) else ()
    statements = {
        part: Measured({recipe: without(vits, recipe, part) for recipe in recipes}, list(vits), room) for part in PARTS
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
    """One row a part that is left out, the same features in each; the recipes beside each other."""
    rows = []
    for part in ("", *PARTS) if visualized(mine) else ():
        cells = []
        for recipe in RECIPES:
            each = mine[mine["variant"] == (f"{recipe}-{part}" if part else recipe)]
            cells += [*([plots.GAP] if cells else []), *map(judged, each[:SHOWN].itertuples())]
        rows.append((label(part), cells))
    title = f"{mine['model'].iloc[0]}: what each part of a recipe does to the same features"
    note = f"Left: recipe {RECIPES[0]}; right: recipe {RECIPES[1]}. {OF_JUDGE} {CROSSED_OUT}"
    return plots.picture_rows(rows, title, note)


def label(part: str) -> str:
    if part in ("", "noise_alone"):
        return part.replace("_", "\n") or "whole"
    return f"without\n{part.replace('_', ' ')}"


def bars(summary: pd.DataFrame) -> Figure:
    """Identification of the whole recipes and of each less a part."""
    title = "What a recipe loses with each of its parts"
    if summary["identification"].isna().all():
        return plots.message(f"{title}: nothing to show")
    parts = summary["variant"].str.partition("-")
    rows = summary.assign(recipe=parts[0], part=parts[2].replace("", "whole").str.replace("_", "\n"))
    labels = (
        "left out of the recipe (noise alone: all but the noise)",
        "how well a judge tells the feature\n(rank AUROC, chance 0.5)",
    )
    figure = plots.bars(rows, "part", "identification", "recipe", title, labels)
    figure.axes[0].axhline(0.5, color="black", linestyle="--", zorder=0.5)
    figure.set_figwidth(9)
    return figure
