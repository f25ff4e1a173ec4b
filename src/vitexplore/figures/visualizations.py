"""What was visualized: a sheet for each model and depth, one row a recipe and site, one column a feature."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.figures import plots
from vitexplore.graph import Graph
from vitexplore.io import rows_of


def show(graph: Graph) -> dict[Path, Figure]:
    found = {}
    for model in graph.models("visualize"):
        for depth, mine in rows_of(graph.table("visualize", model), model).groupby("depth", sort=False):
            found[graph.figure(f"visualizations_{model}_{depth}")] = draw(mine)
    return found


def draw(mine: pd.DataFrame) -> Figure:
    """``mine``: one model's rows of the table `visualize`, at one depth."""
    first = mine.iloc[0]
    return plots.visualization_sheet(mine, f"{first['model']}, {first['depth']} block ({first['block']})")
