"""Each claim's first statement on every twin."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitexplore.claims.instrument import HAS_IT, LACKS_IT, LADDER, VALID

COLOURS = {HAS_IT: "#0173b2", LACKS_IT: "#de8f05", LADDER: "#949494"}  # seaborn's colour-blind palette
MARKERS = {HAS_IT: "o", LACKS_IT: "s", LADDER: "."}
COLUMNS = 3


def drawn(table: pd.DataFrame, margins: dict[tuple[str, str], float]) -> Figure:
    """A panel a claim: of its first statement what was measured on each twin, with its interval, and the margin."""
    claims = list(dict.fromkeys(table["claim"]))
    firsts = [mine[mine["statement"] == mine["statement"].iloc[0]] for _, mine in table.groupby("claim", sort=False)]
    lines = -(-len(claims) // COLUMNS)
    figure = Figure(figsize=(14, 2.6 * lines + 0.8), layout="constrained")
    axes = figure.subplots(lines, COLUMNS, squeeze=False).flat
    for axis, mine in zip(axes, firsts, strict=False):
        of_claim = table[(table["claim"] == mine["claim"].iloc[0]) & (table["instrument"] != "")]
        right, tried = int((of_claim["instrument"] == VALID).sum()), len(of_claim)
        panel(axis, mine, margins[mine["claim"].iloc[0], mine["statement"].iloc[0]], f"{right} of {tried} right")
    for axis in list(axes)[len(claims) :]:
        axis.set_axis_off()
    handles = [
        axis_handle(figure.axes[0], kind, label)
        for kind, label in (
            (HAS_IT, "has the property: wanted beyond the dashed margin"),
            (LACKS_IT, "lacks it: wanted short of the margin"),
            (LADDER, "has it in part"),
        )
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    return figure


def panel(axis: Axes, mine: pd.DataFrame, margin: float, note: str) -> None:
    names = [
        row.twin if row.kind != LADDER and row.kind else f"{row.twin} at {row.strength:.3g}"
        for row in mine.itertuples()
    ]
    for place, row in enumerate(mine.itertuples()):
        kind = row.kind or LADDER
        axis.plot([row.low, row.high], [place, place], color=COLOURS[kind], linewidth=2)
        axis.plot([row.measured], [place], MARKERS[kind], color=COLOURS[kind], markersize=8)
    axis.axvline(margin, color="black", linestyle="--", linewidth=1)
    axis.set_yticks(range(len(names)), [name.replace("_", " ") for name in names], fontsize=9)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_title(f"{mine['claim'].iloc[0]}, {mine['statement'].iloc[0]} ({note})", fontsize=10)


def axis_handle(axis: Axes, kind: str, label: str):
    return axis.plot([], [], MARKERS[kind], color=COLOURS[kind], markersize=8, label=label)[0]
