"""Figures and the tables that stand beside them, drawn from finished tables: none of them runs a model.

Each module of KINDS has ``show(graph)``: matplotlib figures and tables by the path where they go. ``FLOATS`` is the
format of its tables' numbers; without one they are written in full.
"""

import importlib
from pathlib import Path

import pandas as pd

from vitexplore.errors import InputError
from vitexplore.figures import plots
from vitexplore.graph import Graph
from vitexplore.io import write_atomically

KINDS = ("accuracy", "contact_sheet", "portraits", "top_images", "training", "visualizations", "zero_shot")


def write(name: str, graph: Graph) -> None:
    """Write what the module ``name`` shows: PNG and CSV. Raises InputError where there is no such module."""
    if name not in KINDS:
        raise InputError(f"no figures {name!r}; there are {', '.join(KINDS)}")
    module = importlib.import_module(f"{__name__}.{name}")
    for path, shown in module.show(graph).items():
        if path.suffix == ".png":
            plots.save(shown, path)
        else:
            _write_csv(shown, path, getattr(module, "FLOATS", None))


def _write_csv(table: pd.DataFrame, path: Path, floats: str | None) -> None:
    write_atomically(path, lambda temporary: table.to_csv(temporary, index=False, float_format=floats))
