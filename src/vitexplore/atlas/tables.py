"""Which models an atlas shows, and which of a scale's tables it reads."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from vitexplore.claims.page import ATLAS
from vitexplore.graph import Graph
from vitexplore.io import rows_of

KEY = ("site", "block", "feature")  # of a model
DRAWN = ("visualize", "variants", "ablation", "portraits", "reseeded")  # tables of pictures, the first one counts
OTHERS = ("statistics", "features", "concepts", "localization")  # what else is told of features


def models(graph: Graph) -> list[str]:
    """Those whose most activating images are known, and what they do on the same images."""
    return graph.models("responses")


def folder(graph: Graph) -> Path:
    return (graph.out / ATLAS).parent


def inputs(graph: Graph) -> list[Path]:
    """The files that an atlas is made of, beside the claims."""
    if not models(graph):
        return []
    tables = ("top", "maps", "responses", "views", *DRAWN, *OTHERS)
    return [graph.image_index("collect"), *(path for table in tables for path in graph.tables(table))]


_rows = cache(rows_of)  # of one atlas, each is asked for by many blocks


def rows(graph: Graph, table: str, model: str) -> pd.DataFrame:
    """A model's rows of a table; no rows and no columns where it has none."""
    if model not in graph.models(graph.source(table)):
        return pd.DataFrame()
    return _rows(graph.table(table, model).resolve(), model)


def arrays(graph: Graph, table: str, model: str) -> Iterator[tuple[str, np.ndarray]]:
    """A model's arrays, by their names, such as ``ffn_3``."""
    with np.load(graph.table(table, model)) as found:
        for name in found.files:
            whose, _, key = name.partition("/")
            if whose == model:
                yield key, found[name]
