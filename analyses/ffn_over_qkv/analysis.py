"""Fig. 3: visualizations of ffn against those of query, key and value, at three depths."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, NotTested, of_each, vits_and_control
from vitexplore.figures import plots
from vitexplore.png import decode
from vitexplore.stats import Estimate, bootstrap

QKV = ("query", "key", "value")
SITES = (*QKV, "ffn")
SHOWN = 4  # features of each site and depth in the figure


def by_site(mine: pd.DataFrame, column: str) -> dict[str, np.ndarray]:
    """For each site, float [features of all depths]."""
    return {site: rows[column].to_numpy(np.float64) for site, rows in mine.groupby("site")}


def ffn_minus_qkv(mine: pd.DataFrame, column: str) -> Estimate:
    values = by_site(mine, column)
    count = min(map(len, values.values()))
    return bootstrap(
        lambda f: float(values["ffn"][f].mean() - np.mean([values[site][f].mean() for site in QKV])),
        {"features of each site": count},
    )


def negative(estimate: Estimate) -> Estimate:
    return Estimate(-estimate.value, -estimate.high, -estimate.low, estimate.n)


def analyse(table: pd.DataFrame) -> Analysis:
    recipes = list(table["variant"].unique())  # the first decides, the others are shown beside it
    trained, random = vits_and_control(table[table["variant"] == recipes[0]])
    if any(mine["identification"].isna().any() for mine in trained + random):
        raise NotTested("needs a judge: a model that is not the visualized one")
    statements = {
        "identification": Measured(
            of_each(trained, lambda mine: ffn_minus_qkv(mine, "identification")),
            ffn_minus_qkv(random[0], "identification"),
        ),
        "high_frequency": Measured(
            of_each(trained, lambda mine: negative(ffn_minus_qkv(mine, "high_frequency"))),
            negative(ffn_minus_qkv(random[0], "high_frequency")),
        ),
    }
    table = table.assign(beats_natural=table["score"] > table["natural"])
    grouped = table.groupby(["variant", "model", "site", "depth"], sort=False)
    summary = grouped.agg(
        identification=("identification", "mean"),
        identification_natural=("identification_natural", "mean"),
        high_frequency=("high_frequency", "mean"),
        beats_natural=("beats_natural", "mean"),
        percentile=("percentile", "mean"),
        path_agreement=("path_agreement", "mean"),
        interpretability=("interpretability", "mean"),
        n=("feature", "size"),
    ).reset_index()
    figures = {
        "ffn_over_qkv": pictures(trained[0], recipes[0]),
        "ffn_over_qkv_scores": scores(summary[summary["variant"] == recipes[0]]),
    }
    if len(recipes) > 1:
        same = (table["variant"] == recipes[1]) & (table["model"] == trained[0]["model"].iloc[0])
        figures["ffn_over_qkv_ours"] = pictures(table[same], recipes[1])
    return Analysis(statements, summary, figures)


def pictures(mine: pd.DataFrame, recipe: str) -> Figure:
    """Like the paper's Fig. 3: rows are sites, columns depths, some features of each."""
    depths = list(mine["depth"].unique())
    figure = Figure(figsize=(1.15 * SHOWN * len(depths), 1.35 * len(SITES)), layout="constrained")
    figure.suptitle(f"{mine['model'].iloc[0]}, recipe {recipe}")
    for row, (panel, site) in enumerate(zip(figure.subfigures(len(SITES), 1), SITES, strict=True)):
        panel.supylabel(site)
        for axis, column in zip(panel.subplots(1, SHOWN * len(depths)), range(SHOWN * len(depths)), strict=True):
            depth = depths[column // SHOWN]
            rows = mine[(mine["site"] == site) & (mine["depth"] == depth)]
            axis.set_axis_off()
            if column % SHOWN < len(rows):
                axis.imshow(decode(rows["picture"].iloc[column % SHOWN]))
            if row == 0 and column % SHOWN == 0:
                axis.set_title(f"{depth} (block {rows['block'].iloc[0]})", fontsize=10, loc="left")
    return figure


def scores(summary: pd.DataFrame) -> Figure:
    """Identification by site for each transformer."""
    rows = summary[summary["site"].isin(SITES)]
    means = rows.groupby(["model", "site"], sort=False)["identification"].mean().reset_index()
    labels = ("site", "identification (rank AUROC, chance 0.5)")
    figure = plots.bars(means, "site", "identification", "model", "Whose feature is it? A judge's answer", labels)
    figure.axes[0].axhline(0.5, color="black", linestyle="--")
    return figure
