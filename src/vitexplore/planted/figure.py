"""Each deciding statement on its twins."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vitexplore.claims.decide import PAPER
from vitexplore.claims.instrument import HAS_IT, LACKS_IT, LADDER, VALID
from vitexplore.figures.style import COLOURS, style

SHOWN = {  # colour, marker and legend of each kind of twin; "" where nothing is wanted of the statement
    HAS_IT: (COLOURS[0], "o", "has the property: wanted beyond the dashed margin"),
    LACKS_IT: (COLOURS[1], "s", "lacks it, or has too little: wanted short of the margin"),
    LADDER: ("0.55", ".", "has it in part: nothing is wanted"),
}
COLUMNS = 3
PANEL, LINE, HEAD = 4.7, 0.22, 0.75  # inches: width of a panel, height of a twin, of title and axis


@style()
def drawn(table: pd.DataFrame, margins: dict[tuple[str, str], float]) -> Figure:
    """A panel for each statement that decides a claim: what was measured on each of its twins, with its interval, and
    the margin."""
    known = table[(table["role"] == PAPER) & table["kind"].isin(list(SHOWN)) & table["measured"].notna()]
    firsts = [mine for _, mine in known.groupby(["claim", "statement"], sort=False) if (mine["kind"] != LADDER).any()]
    lines = [firsts[start : start + COLUMNS] for start in range(0, len(firsts), COLUMNS)]
    heights = [HEAD + LINE * max(map(len, line)) for line in lines]
    figure = Figure(figsize=(PANEL * COLUMNS, sum(heights) + 0.4), layout="constrained")
    axes = figure.subplots(len(lines), COLUMNS, squeeze=False, height_ratios=heights).flatten()
    for axis, mine in zip(axes, firsts, strict=False):
        tried = mine.loc[mine["kind"] != LADDER, "instrument"]
        claim, statement = mine.iloc[0][["claim", "statement"]]
        panel(axis, mine, margins[claim, statement])
        axis.set_title(
            f"{claim}, {statement} ({(tried == VALID).sum()} of {len(tried)} right)", fontsize=10, loc="left"
        )
    for axis in axes[len(firsts) :]:
        axis.set_axis_off()
    kinds = [kind for kind in SHOWN if kind in {kind for first in firsts for kind in first["kind"]}]
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=label)
        for colour, marker, label in map(SHOWN.get, kinds)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(kinds), frameon=False, fontsize=10)
    return figure


def panel(axis: Axes, mine: pd.DataFrame, margin: float) -> None:
    """A line for each twin; steps of a ladder are named with their strength."""
    names = [f"{row.twin} at {row.strength:.3g}" if row.kind == LADDER else row.twin for row in mine.itertuples()]
    for place, row in enumerate(mine.itertuples()):
        colour, marker, _ = SHOWN[row.kind]
        axis.plot([row.low, row.high], [place, place], color=colour, linewidth=2)
        axis.plot([row.measured], [place], marker, color=colour, markersize=7)
    axis.axvline(margin, color="black", linestyle="--", linewidth=1)
    axis.set_yticks(range(len(names)), [name.replace("_", " ") for name in names], fontsize=9)
    axis.locator_params(axis="x", nbins=5)
    axis.tick_params(axis="x", labelsize=9)
    axis.set_ylim(len(names) - 0.4, -0.6)
