"""Fig. 14: accuracy that is kept when fine detail is filtered out."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.figures.paper.networks import percent, trained
from vitexplore.figures.paper.numbers import legend_above, titled, without_vit
from vitexplore.figures.style import COLUMN, NAMES, OF_FAMILY
from vitexplore.graph import Graph
from vitexplore.measures.accuracy import at_one_size, share
from vitexplore.models.spec import FAMILIES
from vitexplore.statistics.intervals import mean_of


def data(graph: Graph) -> pd.DataFrame:
    """Rows: family, networks (how many), cutoff (share of Nyquist), value (percent of the unfiltered top-1, both above
    chance, mean over networks), low and high (95%, images resampled), images. Models are measured at the common input
    size where the scale has one."""
    table = trained(graph, "low_pass")
    chance, rows = 1 / int(table["classes"].iloc[0]), []
    for family in FAMILIES:
        each = [at_one_size(mine) for _, mine in table[table["family"] == family].groupby("model", sort=False)]
        for cutoff in sorted(table.loc[table["filter"] == "disc", "strength"].unique()) if each else []:
            kept = mean_of([share(_right(mine, "disc", cutoff), _right(mine, "none", 0), chance) for mine in each])
            known = {"family": family, "networks": len(each), "cutoff": cutoff}
            rows.append({**known, **percent(kept), "images": kept.estimate().n})
    return pd.DataFrame(rows)


def _right(mine: pd.DataFrame, filter: str, strength: float) -> np.ndarray:
    rows = mine[(mine["filter"] == filter) & (mine["strength"] == strength)]
    return rows.sort_values("image")["rank"].to_numpy() < 1


def draw(table: pd.DataFrame) -> Figure:
    title = "Accuracy kept without fine detail"
    note = (
        "Mean over networks (how many) under an ideal low-pass filter. Bands: 95% intervals over images. The paper "
        f"prints no numbers.{without_vit(table)}"
    )
    figure, axis = titled(COLUMN, 2.3, title, note)
    for family, mine in table.groupby("family", sort=False):
        colour, marker = OF_FAMILY[family]
        label = f"{NAMES[family]} ({mine['networks'].iloc[0]})"
        axis.plot(mine["cutoff"], mine["value"], marker=marker, color=colour, label=label)
        axis.fill_between(mine["cutoff"], mine["low"], mine["high"], color=colour, alpha=0.2, linewidth=0)
    cutoffs = sorted(table["cutoff"].unique())
    axis.set(
        xscale="log",
        xlabel="cut-off, share of the Nyquist frequency",
        ylabel="top-1 above chance,\n% of the unfiltered",
    )
    axis.set_xticks(cutoffs, [f"1/{1 / cutoff:.0f}" if cutoff < 1 else "1" for cutoff in cutoffs])
    axis.minorticks_off()
    axis.axhline(0, color="black", linewidth=0.7)
    legend_above(axis, 3)
    return figure
