"""The tables that people read: accuracy of each model on each kind of image, in percent."""

from pathlib import Path

import pandas as pd

from vitexplore.graph import Graph
from vitexplore.io import read_tables
from vitexplore.measures.accuracy import accuracy_table

FLOATS = "%.2f"
KINDS = ("condition", "fill", "along", "filter", "strength")


def show(graph: Graph) -> dict[Path, pd.DataFrame]:
    return {path: table_of(read_tables(graph.tables(path.stem))) for path in graph.accuracies()}


def table_of(ranks: pd.DataFrame) -> pd.DataFrame:
    """From a table of `background` or `low_pass`: model, size, kind of image, top1, top2, top5, n."""
    return accuracy_table(ranks, ["model", "size", *(column for column in KINDS if column in ranks)])
