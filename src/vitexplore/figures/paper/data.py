"""The small folder that the paper's figures are drawn from: ``tables/paper``."""

from pathlib import Path

import numpy as np
import pandas as pd

from vitexplore.figures.paper.items import ITEMS
from vitexplore.figures.paper.tiles import Missing, Tiles
from vitexplore.graph import Graph

FLOATS = "%.4f"


def show(graph: Graph) -> dict[Path, pd.DataFrame | np.ndarray]:
    """Of each item that the scale has something for, a CSV and, of pictures, a PNG; and items.csv: item, note (why it
    is not there)."""
    found, notes = {}, []
    for name, item in ITEMS.items():
        note = item.note
        if item.data:
            try:
                data = item.data(graph)
                found |= _files(graph.paper_data / f"{name}.csv", data)
            except Missing as reason:
                note = str(reason)
        notes.append({"item": name, "note": note})
    return {**found, graph.paper_data / "items.csv": pd.DataFrame(notes)}


def _files(table: Path, data: pd.DataFrame | Tiles) -> dict[Path, pd.DataFrame | np.ndarray]:
    if isinstance(data, Tiles):
        return {table: data.table, table.with_suffix(".png"): data.atlas()}
    return {table: data}
