"""What the claims on tokens measure against depth, width and training of the lab's ViTs."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitexplore.figures.style import COLOURS, style

AXES = {"depth": "blocks", "width": "channels", "images_seen": "images seen in training"}
USUAL = "lab_vit_75k_s0"  # all others but the lab's own differ from it in one of AXES
SEEDS = ("lab_vit_s0", "lab_vit_s1", "lab_vit_s2")  # the lab's own: they differ from each other in the seed alone


def along(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of ``table`` (emergence.csv) whose networks differ from USUAL in the axis ``name`` alone, along it."""
    usual = table.loc[table["model"] == USUAL, list(AXES)].iloc[0]
    others = usual.drop(name)
    return table[(table[list(others.index)] == others).all(axis=1)].sort_values(name, kind="stable")


@style()
def drawn(table: pd.DataFrame, margins: Mapping[str, float]) -> Figure:
    """A row a claim (its first statement), a column for each of AXES. The dashed line is the claim's margin."""
    figure = Figure(figsize=(10, 2.2 * len(margins) + 0.4), layout="constrained")
    grid = figure.subplots(len(margins), len(AXES), squeeze=False, sharey="row", sharex="col")
    for line, (claim, margin) in zip(grid, margins.items(), strict=True):
        mine = table[table["claim"] == claim]
        first = mine[mine["statement"] == mine["statement"].iloc[0]]
        for axis, name in zip(line, AXES, strict=True):
            panel(axis, along(first, name), name, margin)
        line[0].set_ylabel(f"{claim}\n{first['statement'].iloc[0]}", fontsize=10)
    for axis, label in zip(grid[-1], AXES.values(), strict=True):
        axis.set_xlabel(label)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def panel(axis: Axes, shown: pd.DataFrame, name: str, margin: float) -> None:
    """Values of the axis ``name`` at even distances; the line runs through the means of training seeds."""
    values = sorted(shown[name].unique())
    places = shown[name].map(values.index)
    axis.vlines(places, shown["low"], shown["high"], color=COLOURS[0], linewidth=2)
    axis.plot(places, shown["measured"], "o", color=COLOURS[0], label="a network, with its 95% interval")
    axis.plot(shown.groupby(name)["measured"].mean().to_numpy(), color=COLOURS[0], linewidth=1)
    axis.axhline(margin, color="black", linestyle="--", linewidth=1, label="the statement's margin")
    axis.set_xticks(range(len(values)), [short(value) for value in values])
    axis.margins(x=0.15)


def short(value: int) -> str:
    """Thousands as ``25 k``."""
    return f"{value / 1000:.0f} k" if value >= 1000 else f"{value}"
