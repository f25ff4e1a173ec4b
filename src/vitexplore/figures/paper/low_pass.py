"""Fig. 14: accuracy that is kept when fine detail is filtered out."""

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.figures.paper.networks import in_percent, of_claim
from vitexplore.figures.paper.numbers import legend_above, titled, without_vit
from vitexplore.figures.style import COLUMN, NAMES, OF_FAMILY
from vitexplore.graph import Graph
from vitexplore.models.spec import FAMILIES


def data(graph: Graph) -> pd.DataFrame:
    """Rows: family, networks (how many), cutoff (share of Nyquist), value (percent of the unfiltered top-1, both above
    chance, mean over networks), low and high (95%, images resampled), images. Models are measured at the common input
    size where the scale has one."""
    table = of_claim(graph, "low_pass")
    table, rows = table[table["filter"] == "disc"], []
    for family in FAMILIES:
        mine = table[table["family"] == family]
        if mine["networks"].gt(1).any():
            mine = mine[mine["networks"].gt(1)]
        elif "common" in set(mine["size"]):
            mine = mine[mine["size"] == "common"]
        for row in mine.itertuples():
            known = {"family": family, "networks": row.networks, "cutoff": row.strength}
            rows.append(known | in_percent(row, "kept", 100) | {"images": f"{row.n} images"})
    return pd.DataFrame(rows)


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
