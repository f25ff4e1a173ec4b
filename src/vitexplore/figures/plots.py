"""One style for every figure, and the figures that more than one place draws."""

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
from vitexplore.png import decode

mpl.use("Agg")
sns.set_theme(style="whitegrid", context="notebook", palette="colorblind")

SIDE = 160  # pixels to which images under maps are brought


def save(figure: Figure, path: Path) -> None:
    """PNG, without the writing time, so that the same figure is the same bytes."""
    write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110, metadata={"Software": None}))


def _grid(rows: int, columns: int, side: float, head: float) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(side * columns, (side + head) * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


def contact_sheet(
    pictures: Sequence[np.ndarray], captions: Sequence[str], columns: int, wrap: int, title: str = ""
) -> Figure:
    """``pictures`` uint8 [h, w, 3] with a caption above each."""
    figure, axes = _grid(-(-len(pictures) // columns), columns, 1.6, 0.65)
    if title:
        figure.suptitle(title)
    for axis, picture, text in zip(axes.flat, pictures, captions, strict=False):
        axis.imshow(picture)
        axis.set_title(textwrap.fill(text, wrap), fontsize=8)
    return figure


def images_with_maps(rows: Sequence[tuple[str, Sequence[Image.Image], np.ndarray]], title: str) -> Figure:
    """One row a feature: its label, its images, best first, and its maps float [images, h, w], laid over them."""
    columns = max(len(images) for _, images, _ in rows)
    figure = Figure(figsize=(1.5 * columns, 1.6 * len(rows)), layout="constrained")
    figure.suptitle(title)
    for axes, (label, images, maps) in zip(figure.subplots(len(rows), columns, squeeze=False), rows, strict=True):
        low, high = maps.min(), maps.max()
        for axis in axes:
            axis.set(xticks=[], yticks=[])
        for axis, image, heat in zip(axes, images, maps.astype(np.float32), strict=False):
            axis.imshow(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
            strength = (heat - low) / max(high - low, 1e-12)
            axis.imshow(heat, extent=(0, SIDE, SIDE, 0), cmap="autumn", alpha=0.75 * strength, vmin=low, vmax=high)
        axes[0].set_ylabel(label, fontsize=9)
    return figure


def picture_rows(rows: Sequence[tuple[str, Sequence[bytes], Sequence[str]]], title: str) -> Figure:
    """Rows of small square pictures (PNG bytes): each row's label at its left, a caption above each picture. All on one
    axis, whose unit is a picture's side, and without a layout engine: hundreds of axes take seconds."""
    head = 0.09 + 0.11 * max(
        caption.count("\n") + 1 for _, _, captions in rows for caption in captions
    )  # over a picture
    across, down = 1.08, 1.05 + head  # from one picture to the next
    columns = max(len(pictures) for _, pictures, _ in rows)
    longest = max(len(words) for label, _, _ in rows for words in label.split("\n"))
    left, wide, high = 0.085 * longest + 0.15, 1.16 * across * columns, 1.16 * down * len(rows)  # inches
    width, height = max(left + wide, 0.09 * len(title)), high + 0.3
    figure = Figure(figsize=(width, height))
    figure.suptitle(title, fontsize=11, y=1 - 0.1 / height)
    axis = figure.add_axes((left / width, 0, wide / width, high / height), frame_on=False)
    for line, (_, pictures, captions) in enumerate(rows):
        for column, (picture, caption) in enumerate(zip(pictures, captions, strict=False)):
            x, y = across * column, down * line
            axis.imshow(decode(picture), extent=(x, x + 1, y + 1, y))
            axis.text(x + 0.5, y - 0.05, caption, ha="center", va="bottom", fontsize=7)
    axis.set(xlim=(0, across * columns), ylim=(down * len(rows) - head, -head), xticks=[])
    axis.set_yticks([down * line + 0.5 for line in range(len(rows))], [label for label, _, _ in rows], fontsize=9)
    axis.grid(visible=False)
    return figure


def visualization_sheet(table: pd.DataFrame, title: str) -> Figure:
    """One row a recipe and site, one column a feature, from a table of the experiment `visualize`."""
    rows = []
    for (variant, site), mine in table.groupby(["variant", "site"], sort=False):
        rows.append((f"{site}\n{variant}", list(mine["picture"]), [str(feature) for feature in mine["feature"]]))
    return picture_rows(rows, title)


def lines(
    table: pd.DataFrame, x: str, y: str, hue: str, title: str, labels: tuple[str, str], style: str | None = None
) -> Figure:
    """Lines with the 95% interval over rows of equal ``x`` and ``hue``; ``style`` tells dashes apart. The legend stands
    beside them, for models are many."""
    figure = Figure(figsize=(8.5, 4.2), layout="constrained")
    axis = figure.subplots()
    kept = {"errorbar": ("ci", 95), "n_boot": 200, "seed": 0}
    sns.lineplot(table, x=x, y=y, hue=hue, style=style, marker="o", ax=axis, **kept)
    axis.set(title=title, xlabel=labels[0], ylabel=labels[1])
    axis.legend(title=None, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def bars(table: pd.DataFrame, x: str, y: str, hue: str, title: str, labels: tuple[str, str]) -> Figure:
    """Grouped bars of values that are already summarised, each with its number above."""
    figure = Figure(figsize=(6.8, 4.2), layout="constrained")
    axis = figure.subplots()
    sns.barplot(table, x=x, y=y, hue=hue, errorbar=None, ax=axis)
    for container in axis.containers:
        axis.bar_label(container, fmt="%.2f", fontsize=8)
    axis.set(title=title, xlabel=labels[0], ylabel=labels[1])
    axis.legend(title=None, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def message(text: str) -> Figure:
    """A figure that says why there is none."""
    figure = Figure(figsize=(6, 1.2))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure
