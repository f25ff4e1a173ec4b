"""What the claims on tokens measure against depth, width and training of the lab's ViTs."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitexplore.figures.style import COLOURS, style

AXES = {"depth": "blocks", "width": "channels", "images_seen": "images seen in training"}


@style()
def drawn(table: pd.DataFrame, margins: Mapping[str, float], usual: Mapping[str, int]) -> Figure:
    """A row a claim (its first statement), a column for each of AXES; along one of them the others are at ``usual``.
    The dashed line is the claim's margin."""
    figure = Figure(figsize=(10, 2.2 * len(margins) + 0.4), layout="constrained")
    grid = figure.subplots(len(margins), len(AXES), squeeze=False, sharey="row", sharex="col")
    for line, (claim, margin) in zip(grid, margins.items(), strict=True):
        mine = table[table["claim"] == claim]
        first = mine[mine["statement"] == mine["statement"].iloc[0]]
        for axis, along in zip(line, AXES, strict=True):
            others = {name: value for name, value in usual.items() if name != along}
            shown = first[(first[list(others)] == pd.Series(others)).all(axis=1)].sort_values(along)
            panel(axis, shown, along, margin)
        line[0].set_ylabel(f"{claim}\n{first['statement'].iloc[0]}", fontsize=10)
    for axis, label in zip(grid[-1], AXES.values(), strict=True):
        axis.set_xlabel(label)
    return figure


def panel(axis: Axes, shown: pd.DataFrame, along: str, margin: float) -> None:
    """Values of ``along`` at even distances; the line runs through the means of training seeds."""
    values = sorted(shown[along].unique())
    places = shown[along].map(values.index)
    axis.vlines(places, shown["low"], shown["high"], color=COLOURS[0], linewidth=2)
    axis.plot(places, shown["measured"], "o", color=COLOURS[0])
    axis.plot(shown.groupby(along)["measured"].mean().to_numpy(), color=COLOURS[0], linewidth=1)
    axis.axhline(margin, color="black", linestyle="--", linewidth=1)
    axis.set_xticks(range(len(values)), [f"{value:,}" for value in values])
    axis.margins(x=0.15)
