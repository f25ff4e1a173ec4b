"""Figures that more than one place draws."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from PIL import Image

from vitexplore.figures.style import style
from vitexplore.io import write_atomically

Cell = tuple[np.ndarray | None, str]  # a picture uint8 [h, w, 3] (None: a gap) and its caption
Row = tuple[str, Sequence[Cell]]  # with its label
GAP: Cell = (None, "")
SIDE, LINE, SMALL = 1.16, 0.155, 9  # inches of a picture and of a line of text, points of that text
PREVIEW, QUALITY = (1600, 3200), 80  # at most so many pixels wide and high; WebP's quality


PNG = {"Software": None}  # metadata, without the writing time, so that the same figure is the same bytes


@style()
def save(figure: Figure, path: Path) -> None:
    """PNG."""
    write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=110, metadata=PNG))


def save_preview(figure: Path, path: Path) -> None:
    """A WebP of a saved figure, for the report: where it holds pictures, a tenth of the PNG's bytes."""
    with Image.open(figure) as whole:
        small = whole.convert("RGB")
    small.thumbnail(PREVIEW)
    write_atomically(path, lambda temporary: small.save(temporary, quality=QUALITY))


def _grid(rows: int, columns: int, side: float, head: float) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(side * columns, (side + head) * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


@style()
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


@style()
def picture_rows(rows: Sequence[Row], title: str, note: str = "") -> Figure:
    """Rows of small square pictures: each row's label at its left, a caption above each picture, under the title a
    ``note`` on how to read them. All on one axis, whose unit is a picture's side, and without a layout engine: hundreds
    of axes take seconds. Without ``rows`` a message."""
    if not rows:
        return message(f"{title}: nothing to show")
    lines = max(len(caption.splitlines()) for _, cells in rows for _, caption in cells)
    head = 0.06 + LINE / SIDE * lines  # over a picture
    down = 1.06 + head  # from one picture to the next
    across = max(sum(map(_width, cells)) for _, cells in rows)
    longest = max(len(words) for label, _ in rows for words in label.splitlines() or [""])
    left, wide, high = 0.085 * longest + 0.15, SIDE * across, SIDE * down * len(rows)  # inches
    width = max(left + wide, 7)
    letters = int(width / 0.079)  # of a line of the note; the title's are a third wider
    title, note = textwrap.fill(title, int(letters * 0.72)), textwrap.fill(note, letters)
    above = 0.22 * (title.count("\n") + 1) + LINE * len(note.splitlines()) + 0.15
    height = high + above
    figure = Figure(figsize=(width, height))
    figure.text(0.1 / width, 1 - 0.06 / height, title, fontsize=12, weight="bold", va="top")
    figure.text(0.1 / width, 1 - (above - 0.08) / height, note, fontsize=SMALL, va="bottom")
    axis = figure.add_axes((left / width, 0, wide / width, high / height), frame_on=False)
    for line, (_, cells) in enumerate(rows):
        starts = np.cumsum([0, *map(_width, cells)])
        for x, (picture, caption) in zip(starts, cells, strict=False):
            y = down * line
            if picture is not None:
                axis.imshow(picture, extent=(x, x + 1, y + 1, y))
                axis.text(x + 0.5, y - 0.04, caption, ha="center", va="bottom", fontsize=SMALL)
    axis.set(xlim=(0, across), ylim=(down * len(rows) - head, -head), xticks=[])
    axis.set_yticks([down * line + 0.5 for line in range(len(rows))], [label for label, _ in rows], fontsize=SMALL + 1)
    axis.grid(visible=False)
    return figure


def _width(cell: Cell) -> float:
    """Of a cell and the space after it, in pictures' sides."""
    return 1.08 if cell[0] is not None else 0.3


@style()
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


@style()
def bars(table: pd.DataFrame, x: str, y: str, hue: str, title: str, labels: tuple[str, str]) -> Figure:
    """Grouped bars of values that are already summarised, each with its number above."""
    figure = Figure(figsize=(6.8, 4.2), layout="constrained")
    axis = figure.subplots()
    sns.barplot(table, x=x, y=y, hue=hue, errorbar=None, ax=axis)
    for container in axis.containers:
        axis.bar_label(container, fmt="%.2f", fontsize=9, padding=2, bbox={"facecolor": "white", "pad": 0.5, "lw": 0})
    axis.margins(y=0.1)
    axis.set(title=title, xlabel=labels[0], ylabel=labels[1])
    axis.legend(title=None, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@style()
def message(text: str) -> Figure:
    """A figure that says why there is none."""
    figure = Figure(figsize=(6, 1.2))
    figure.text(0.5, 0.5, textwrap.fill(text, 60), ha="center", va="center")
    return figure
