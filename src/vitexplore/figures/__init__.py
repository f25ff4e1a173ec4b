"""Figures and the tables that stand beside them, drawn from finished tables: none of them runs a model.

Each module of KINDS has ``show(graph)``: matplotlib figures, pictures (uint8 [h, w, 3]) and tables by the path where
they go. ``FLOATS`` is the format of its tables' numbers; without one they are written in full.
"""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from vitexplore.errors import InputError
from vitexplore.figures import plots
from vitexplore.figures.style import style
from vitexplore.graph import Graph
from vitexplore.io import write_atomically

KINDS = (
    "accuracy",
    "contact_sheet",
    "paper.data",
    "portraits",
    "top_images",
    "training",
    "visualizations",
    "zero_shot",
)


def write(name: str, graph: Graph) -> None:
    """Write what the module ``name`` shows, as PNG and CSV. Raises InputError where there is no such module."""
    if name not in KINDS:
        raise InputError(f"no figures {name!r}; there are {', '.join(KINDS)}")
    module = importlib.import_module(f"{__name__}.{name}")
    with style():
        for path, shown in module.show(graph).items():
            _write(shown, path, getattr(module, "FLOATS", None))


def _write(shown: Figure | np.ndarray | pd.DataFrame, path: Path, floats: str | None) -> None:
    if isinstance(shown, Figure):
        plots.save(shown, path)
    elif isinstance(shown, np.ndarray):
        write_atomically(path, lambda temporary: Image.fromarray(shown).save(temporary, optimize=True))
    else:
        _write_csv(shown, path, floats)


def _write_csv(table: pd.DataFrame, path: Path, floats: str | None) -> None:
    write_atomically(path, lambda temporary: table.to_csv(temporary, index=False, float_format=floats))
