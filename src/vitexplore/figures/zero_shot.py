"""What CLIPs answer by prompt about each factor of the scenes."""

from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vitexplore.graph import Graph
from vitexplore.io import read_tables

FLOATS = "%.4f"
COLUMNS = ["model", "factor", "accuracy", "low", "high", "chance", "images"]


def show(graph: Graph) -> dict[Path, Figure | pd.DataFrame]:
    table = read_tables(graph.tables("zero_shot"))[COLUMNS]
    figure, csv = graph.zero_shot()
    return {figure: draw(table), csv: table}


def draw(table: pd.DataFrame) -> Figure:
    """Bars a factor, and a mark at chance."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    axis = figure.subplots()
    sns.barplot(table, x="factor", y="accuracy", hue="model", errorbar=None, ax=axis)
    for position, factor in enumerate(table["factor"].unique()):
        chance = table.loc[table["factor"] == factor, "chance"].iloc[0]
        axis.hlines(chance, position - 0.42, position + 0.42, color="black", label="chance" if position == 0 else None)
    axis.set(title="What CLIP answers by prompt", xlabel="", ylabel="zero-shot accuracy", ylim=(0, 1))
    axis.legend(title=None, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
