"""Section 3: the full recipe against each of its parts left out."""

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, NotTested, vits_and_control
from vitexplore.figures import plots
from vitexplore.stats import Estimate, bootstrap

PARTS = ("tv", "jitter", "colour_shift", "gaussian", "ensembling")
RECIPES = ("paper", "released")
SHOWN = 6  # features of each variant in the figure


def gain(mine: pd.DataFrame, recipe: str, part: str) -> Estimate:
    """Identification with the part minus without it, feature by feature."""
    by_feature = {name: rows.set_index("feature")["identification"] for name, rows in mine.groupby("variant")}
    lead = (by_feature[recipe] - by_feature[f"{recipe}-{part}"]).to_numpy()
    return bootstrap(lambda f: float(lead[f].mean()), {"features": len(lead)})


def analyse(table: pd.DataFrame) -> Analysis:
    trained, random = vits_and_control(table)
    wanted = {name for recipe in RECIPES for name in (recipe, *(f"{recipe}-{part}" for part in PARTS))}
    if missing := wanted - set(table["variant"]):
        raise NotTested(f"needs both recipes, whole and less each part; {sorted(missing)[0]} is missing")
    if table["identification"].isna().any():
        raise NotTested("needs a judge: a model that is not the visualized one")
    statements = {
        part: Measured(
            {f"{mine['model'].iloc[0]} {recipe}": gain(mine, recipe, part) for mine in trained for recipe in RECIPES},
            gain(random[0], RECIPES[0], part),
        )
        for part in PARTS
    }
    scores = ["identification", "interpretability", "percentile", "high_frequency", "path_agreement", "seed_agreement"]
    summary = table.groupby(["model", "variant"], sort=False)[scores].mean().reset_index()
    summary["beats_natural"] = (
        table.assign(beats=table["score"] > table["natural"])
        .groupby(["model", "variant"], sort=False)["beats"]
        .mean()
        .to_numpy()
    )
    mine = summary[summary["model"] == trained[0]["model"].iloc[0]]
    return Analysis(statements, summary, {"augmentations": pictures(trained[0]), "augmentations_scores": bars(mine)})


def pictures(mine: pd.DataFrame) -> Figure:
    """One row a variant of the recipe, the same features in each."""
    rows = []
    for variant, each in mine.groupby("variant", sort=False):
        first = each.iloc[:SHOWN]
        above = [f"{row.feature}: {row.identification:.2f}" for row in first.itertuples()]
        rows.append((variant.replace("-", "\nwithout "), list(first["picture"]), above))
    return plots.picture_rows(rows, "What each part of a recipe does; above each the judge's AUROC (chance 0.5)")


def bars(summary: pd.DataFrame) -> Figure:
    """Identification of the whole recipes and of each less a part."""
    parts = summary["variant"].str.partition("-")
    rows = summary.assign(recipe=parts[0], part=parts[2].replace("", "whole"))
    labels = ("left out", "identification (rank AUROC, chance 0.5)")
    figure = plots.bars(rows, "part", "identification", "recipe", "What a recipe loses with each of its parts", labels)
    figure.axes[0].axhline(0.5, color="black", linestyle="--")
    return figure
