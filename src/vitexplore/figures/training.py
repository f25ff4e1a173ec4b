"""The training curves of the scale's lab models, in one figure and one table."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.figures import plots
from vitexplore.graph import Graph


def show(graph: Graph) -> dict[Path, Figure | pd.DataFrame]:
    curves = [pd.read_csv(path).assign(model=path.stem) for path in graph.training_curves()]
    table = pd.concat(curves, ignore_index=True)
    figure, csv = graph.training()
    return {figure: draw(table), csv: table}


def draw(table: pd.DataFrame) -> Figure:
    """``table``: images_seen, validation_top1, model."""
    return plots.lines(
        table.assign(thousands=table["images_seen"] / 1000),
        *("thousands", "validation_top1", "model", "Training of the lab's models"),
        ("images seen, thousands", "top-1 on the validation split"),
    )
