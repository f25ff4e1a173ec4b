"""What was visualized: a sheet for each model and depth, each feature beside the images that activate it most."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.figures import feature_rows, plots
from vitexplore.figures.feature_rows import (
    HOW_TO_READ,
    OF_IMAGES,
    OF_JUDGE,
    Exemplars,
    Strip,
    activation,
    drawn,
    shown,
)
from vitexplore.figures.tables import collected_images, exemplars_of
from vitexplore.graph import Graph
from vitexplore.io import rows_of

KEYS = ["site", "block", "feature"]
FEATURES = 16  # on a sheet, as many of each site


def show(graph: Graph) -> dict[Path, Figure]:
    found, collected = {}, graph.top_images_models()
    for model in graph.models("visualize"):
        for depth, mine in rows_of(graph.table("visualize", model), model).groupby("depth", sort=False):
            sheet, seen = graph.figure(f"visualizations_{model}_{depth}"), drawn(mine)
            if seen.empty:
                found[sheet] = plots.message(
                    f"{model}, {depth}: nothing is drawn, its judge cannot tell features apart"
                )
                continue
            chosen, top = first_of_each_site(seen), {}
            if model in collected:
                top = exemplars_of(graph, model, collected_images(graph), chosen)
            found[sheet] = draw(chosen, top)
    return found


def first_of_each_site(mine: pd.DataFrame) -> pd.DataFrame:
    """The rows of FEATURES features, as many of each site."""
    each = max(1, FEATURES // mine["site"].nunique())
    features = mine.drop_duplicates(["site", "feature"]).groupby("site", sort=False).head(each)
    return mine.merge(features[["site", "feature"]])


def draw(mine: pd.DataFrame, top: dict[tuple[str, int, int], Exemplars]) -> Figure:
    """``mine``: one model's rows of the table `visualize`, at one depth; ``top``: by site, block and feature."""
    first, recipes = mine.iloc[0], list(mine["variant"].unique())
    judged, strips = mine["identification"].notna().any(), []
    for (site, block, feature), rows in mine.groupby(KEYS, sort=False):
        names = [f"{feature}, {recipe}" if len(recipes) > 1 else str(feature) for recipe in rows["variant"]]
        drawn = zip(names, rows.itertuples(), strict=True)
        cells = [(shown(row.picture, row.dead), f"{name}\n{scores(row, judged)}") for name, row in drawn]
        strips.append(Strip(f"{site}\nblock {block}", cells, top.get((site, block, feature))))
    what = f"what features of {', '.join(mine['site'].unique())} look for; recipe {' and '.join(recipes)}"
    title = f"{first['model']}, block {first['block']} ({first['depth']}): {what}"
    note = f"{OF_IMAGES if top else ''}{HOW_TO_READ}{f' {OF_JUDGE}' if judged else ''}"
    return feature_rows.draw(strips, title, note)


def scores(row: pd.Series, judged: bool) -> str:
    if row.dead:
        return "dead"
    return activation(row.score, row.natural) + (f", id {row.identification:.2f}" if judged else "")
