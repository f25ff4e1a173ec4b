"""Figs. 1 and 6: which factor of the images explains features, block by block."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import kendalltau

from vitexplore.claims.decide import Analysis, Measured, by_model, deciding, of_each, pooled, vits_and_control
from vitexplore.figures import plots
from vitexplore.statistics.intervals import Estimate, Jackknifed, Means
from vitexplore.statistics.splits import groups

FACTORS = ("class", "texture")
NONE = "none"


def tau(mine: pd.DataFrame, factor: str, exchanged: bool = False) -> Jackknifed:
    """Kendall's tau-b of block and information, over features. Groups of images are left out in turn, and groups of
    features. With ``exchanged`` (a control) the blocks are exchanged among the features."""
    name, block = str(mine["model"].iloc[0]), mine["block"].to_numpy()
    if exchanged:
        block = np.random.default_rng(0).permutation(block)
    bits = mine[f"information_{factor}"].to_numpy()
    without_images = np.stack(mine[f"{factor}_without"].to_list(), axis=1)  # [groups, features]
    without = {
        "images": np.array([kendalltau(block, each).statistic for each in without_images]),
        f"{name}'s features": np.array(
            [kendalltau(*np.delete([block, bits], part, axis=1)).statistic for part in groups(len(mine))]
        ),
    }
    images = int(mine["images"].iloc[0])
    return Jackknifed(float(kendalltau(block, bits).statistic), without, f"{images} images, {len(mine)} features")


def most_told(mine: pd.DataFrame, factor: str) -> Estimate:
    """Bits about ``factor``, mean over the features of the block that tells most."""
    told = f"information_{factor}"
    block = mine.groupby("block")[told].mean().idxmax()
    return Means({"": mine[mine["block"] == block][told].to_numpy()}).estimate()


def images_a_class(mine: pd.DataFrame) -> Estimate:
    """Counted, so that its interval is the number itself."""
    count = float(mine["images_a_class"].iloc[0])
    return Estimate(count, count, count, f"{mine['images'].iloc[0]} images")


def analyse(table: pd.DataFrame) -> Analysis:
    vits, random = vits_and_control(table)
    cnns = by_model(deciding(table), "cnn")
    texture_room = [most_told(mine, "texture") for mine in vits.values()]
    statements = {
        "class_rises": Measured.one(
            of_each(vits, lambda mine: tau(mine, "class")),
            tau(random, "class"),
            gate=list(map(images_a_class, vits.values())),
        ),
        "class_rises_cnn": Measured.one(
            of_each(cnns, lambda mine: tau(mine, "class")),
            tau(next(iter(cnns.values())), "class", exchanged=True),
            gate=list(map(images_a_class, cnns.values())),
        ),
        "texture_falls": Measured.one(
            of_each(vits, lambda mine: tau(mine, "texture")), tau(random, "texture"), gate=texture_room
        ),
    }
    figures = {"depth_progression": shares(table), "depth_information": information(table)}
    return Analysis(statements, summary(table), figures)


def explained(table: pd.DataFrame) -> pd.Series:
    return table["explained_by"].replace("", NONE)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each model and block: mean bits about each factor, and the share of features that each explains best;
    ``tau_<factor>`` of the whole model, and with blocks exchanged among its features."""
    bits = [column for column in table if column.startswith("information_")]
    purities = [column for column in table if column.startswith("purity_")]
    rows = table.groupby(["model", "block"], sort=False)[[*bits, *purities]].mean()
    best = pd.crosstab([table["model"], table["block"]], explained(table), normalize="index").add_prefix(
        "explained_by_"
    )
    rows = rows.join(best).reset_index()
    for factor in FACTORS:
        for model, mine in table.groupby("model"):
            told = mine[f"information_{factor}"].to_numpy()
            exchanged = np.random.default_rng(0).permutation(mine["block"])
            rows.loc[rows["model"] == model, f"tau_{factor}"] = kendalltau(mine["block"], told).statistic
            rows.loc[rows["model"] == model, f"tau_{factor}_blocks_exchanged"] = kendalltau(exchanged, told).statistic
    return rows


def shares(table: pd.DataFrame) -> Figure:
    """A panel a model, the first training seed of each: the share of each block's features that a factor explains."""
    first = table[table["model"] == pooled(table)["model"]]
    models = list(dict.fromkeys(first["model"]))
    named = first.assign(factor=explained(first))
    found = pd.crosstab([named["model"], named["block"]], named["factor"], normalize="index")
    order = [factor for factor in found.mean().sort_values(ascending=False).index if factor != NONE]
    figure = Figure(figsize=(2.6 * len(models) + 1.6, 3.8), layout="constrained")
    axes = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
    for axis, model in zip(axes, models, strict=True):
        mine = found.loc[model].reindex(columns=[*order, NONE], fill_value=0.0)
        mine.plot.bar(stacked=True, width=0.9, ax=axis, legend=False, colormap="tab10", rot=0)
        axis.set(title=model, xlabel="block", ylabel="share of features", ylim=(0, 1))
        axis.grid(visible=False)
    axes[-1].legend(title="told most of", loc="center left", bbox_to_anchor=(1, 0.5), reverse=True)
    figure.suptitle("What features tell of, block by block")
    return figure


def information(table: pd.DataFrame) -> Figure:
    """Mean bits about class and texture by depth."""
    long = pooled(table).melt(["model", "block"], [f"information_{factor}" for factor in FACTORS], "factor", "told")
    long["factor"] = long["factor"].str.removeprefix("information_")
    title = "What features tell of class and texture"
    figure = plots.lines(long, "block", "told", "model", title, ("block", "bits, mean over features"), style="factor")
    return figure
