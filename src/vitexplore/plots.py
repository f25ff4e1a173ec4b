"""One style for every figure, and the figures that more than one place draws."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from PIL import Image

from vitexplore.io import write_atomically

mpl.use("Agg")
sns.set_theme(style="whitegrid", context="notebook", palette="colorblind")


def save(figure: Figure, path: Path) -> None:
    """PNG, without the writing time, so that the same figure is the same bytes."""
    write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110, metadata={"Software": None}))


def _grid(rows: int, columns: int, side: float, head: float) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(side * columns, (side + head) * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


def contact_sheet(pictures: np.ndarray, captions: Sequence[str], columns: int, wrap: int) -> Figure:
    """``pictures`` uint8 [n, h, w, 3] with a caption above each."""
    figure, axes = _grid(-(-len(pictures) // columns), columns, 1.6, 0.65)
    for axis, picture, text in zip(axes.flat, pictures, captions, strict=False):
        axis.imshow(picture)
        axis.set_title(textwrap.fill(text, wrap), fontsize=8)
    return figure


def visualization_sheet(table: pd.DataFrame, title: str) -> Figure:
    """One row a site, one column a feature, from a table of `vitexplore visualize`."""
    kinds = list(table["site"].unique())
    columns = int(table.groupby("site").size().max())
    figure, axes = _grid(len(kinds), columns, 1.3, 0.35)
    figure.suptitle(title)
    for row, kind in zip(axes, kinds, strict=True):
        for axis, feature in zip(row, table[table["site"] == kind].to_dict("records"), strict=False):
            axis.imshow(decode(feature["picture"]))
            axis.set_title(f"{kind} {feature['feature']}", fontsize=8)
    return figure


def decode(png: bytes) -> np.ndarray:
    """PNG bytes to uint8 [h, w, 3]."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def lines(
    table: pd.DataFrame, x: str, y: str, hue: str, title: str, labels: tuple[str, str], style: str | None = None
) -> Figure:
    """Lines with the 95% interval over rows of equal ``x`` and ``hue``; ``style`` tells dashes apart."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axis = figure.subplots()
    kept = {"errorbar": ("ci", 95), "n_boot": 200, "seed": 0}
    sns.lineplot(table, x=x, y=y, hue=hue, style=style, marker="o", ax=axis, **kept)
    axis.set(title=title, xlabel=labels[0], ylabel=labels[1])
    axis.legend(title=None)
    return figure


def bars(table: pd.DataFrame, x: str, y: str, hue: str, title: str, labels: tuple[str, str]) -> Figure:
    """Grouped bars of values that are already summarised, each with its number above."""
    figure = Figure(figsize=(6.8, 4.2), layout="constrained")
    axis = figure.subplots()
    sns.barplot(table, x=x, y=y, hue=hue, errorbar=None, ax=axis)
    for container in axis.containers:
        axis.bar_label(container, fmt="%.2f", fontsize=8)
    axis.set(title=title, xlabel=labels[0], ylabel=labels[1])
    axis.legend(title=None)
    return figure


def message(text: str) -> Figure:
    """A figure that says why there is none."""
    figure = Figure(figsize=(6, 1.2))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure
