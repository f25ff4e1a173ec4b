"""Axes of numbers at the width of the paper's column or page, and dots with intervals on them."""

import textwrap
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitexplore.figures.paper.layout import BOLD, LETTER, LINE, MARGIN
from vitexplore.figures.paper.networks import OURS
from vitexplore.figures.style import COLOURS, TEXT, TITLE

STYLES = [(COLOURS[0], "o"), (COLOURS[1], "s"), (COLOURS[2], "^"), (COLOURS[3], "v"), (COLOURS[4], "P")]
APART = 0.34  # between models on one line, in lines


def titled(width: float, height: float, title: str, note: str, panels: int = 1) -> tuple[Figure, Axes]:
    """A figure ``width`` inches wide with ``panels`` beside each other, sharing y, under a title and a note on how to
    read it; and the first panel."""
    title, note = textwrap.fill(title, int(width / LETTER * BOLD)), textwrap.fill(note, int(width / LETTER))
    above = MARGIN + LINE * (TITLE / TEXT * len(title.splitlines()) + len(note.splitlines())) + 0.1
    figure = Figure(figsize=(width, height + above), layout="constrained")
    figure.get_layout_engine().set(rect=(0, 0, 1, height / (height + above)), w_pad=0.03, h_pad=0.03)
    figure.text(MARGIN / width, 1 - MARGIN / (height + above), title, va="top", fontsize=TITLE, weight="bold")
    down = MARGIN + LINE * TITLE / TEXT * len(title.splitlines()) + 0.03
    figure.text(MARGIN / width, 1 - down / (height + above), note, va="top", linespacing=1.1)
    return figure, figure.subplots(1, panels, sharey=True, squeeze=False)[0, 0]


def dots(axis: Axes, table: pd.DataFrame, by: str, lines: Mapping[str, str], papers: Mapping[str, str]) -> None:
    """A line for each key of ``lines``, values of the column ``by``: a dot with its interval and number for each model
    that was measured, a hollow diamond for each of ``papers``, the paper's models and their names."""
    models = [*table.loc[table["source"] == OURS, "model"].unique(), *papers]
    for number, model in enumerate(models):
        printed = model in papers
        colour, marker = ("black", "D") if printed else STYLES[number % len(STYLES)]
        mine = table[table["model"] == model].set_index(by).reindex(lines)
        height = [line + APART * (number - (len(models) - 1) / 2) for line in range(len(lines))]
        errors = None if printed else [mine["value"] - mine["low"], mine["high"] - mine["value"]]
        axis.errorbar(
            mine["value"], height, xerr=errors, fmt=marker, color=colour, label=papers.get(model, model), elinewidth=1,
            markerfacecolor="none" if printed else colour,
        )  # fmt: skip
        for row, y in zip(mine.itertuples(), height, strict=True):
            right = row.value if printed else row.high
            axis.annotate(
                f"{row.value:.1f}",
                (right, y),
                (6 if printed else 4, 0),
                textcoords="offset points",
                va="center",
                color=colour,
            )
    axis.set(yticks=range(len(lines)), ylim=(len(lines) - 0.5, -0.5))
    axis.set_yticklabels(list(lines.values()))


def legend_above(axis: Axes, columns: int) -> None:
    """Outside of the data, from the left edge of the axes."""
    axis.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, handletextpad=0.3, columnspacing=1,
        borderpad=0.1, borderaxespad=0.1,
    )  # fmt: skip


def without_vit(measured: pd.DataFrame) -> str:
    """A sentence where no ViT was measured, which the paper compares with CNNs; else nothing."""
    return "" if "vit" in set(measured["family"]) else " This scale has no ViT that classifies."
