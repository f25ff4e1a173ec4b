"""Figs. 8 and 9: how many features code what captions say and labels do not, CLIP against the same ViT on labels."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, NotTested, pooled, seeds_of
from vitexplore.stats import LEVEL, Estimate

CAPTIONS = {"many": "many", "before_and_after": "before and after", "from_above": "from above"}
ORDER = ("clip", "clip_shuffled", "vit", "vit_random", "cnn")  # in figures; other models come after these
SHUFFLED = "lab/lab_clip_shuffled"


class Shares:
    """How many features of one model code a concept, over how many it has: ``value``, and ``draws`` of it on resampled
    held-out images and features, the same ones for every model. A feature counts once for each of several concepts that
    it codes; folds are averaged."""

    def __init__(self, mine: pd.DataFrame) -> None:
        folds = mine["fold"].nunique()
        one = mine[(mine["concept"] == mine["concept"].iloc[0]) & (mine["fold"] == 0)]
        self.features = int(one["features"].sum())
        self.images = int((one["positives"] + one["others"]).iloc[0] * folds)
        self.value = mine["coded"].sum() / folds / self.features
        self.draws = np.stack(list(mine["resamples"])).sum(0) / folds / self.features

    def __sub__(self, other: "Shares") -> Estimate:
        low, high = np.quantile(self.draws - other.draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        n = f"{self.images} images, {self.features} features"
        return Estimate(float(self.value - other.value), float(low), float(high), n)


def of_statement(mine: pd.DataFrame, statement: str) -> Shares:
    if statement == "category":
        return Shares(mine[mine["kind"] == "category"])
    return Shares(mine[mine["concept"] == CAPTIONS[statement]])


def analyse(table: pd.DataFrame) -> Analysis:
    if not set(CAPTIONS.values()) <= set(table["concept"]):
        raise NotTested("needs images whose captions are known")
    shuffled = table["architecture"] == SHUFFLED
    if not shuffled.any():
        raise NotTested("needs a CLIP trained on other images' captions")
    seeds = seeds_of(table[~shuffled], "clip", "vit")
    first_vit = next(iter(seeds.values()))[1]
    statements = {
        name: Measured(
            {seed: of_statement(clip, name) - of_statement(vit, name) for seed, (clip, vit) in seeds.items()},
            of_statement(table[shuffled], name) - of_statement(first_vit, name),
        )
        for name in (*CAPTIONS, "category")
    }
    rows = summary(table)
    return Analysis(statements, rows, {"language_concepts": panels(pooled(table, rows))})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each model and concept: ``coded`` of ``features``, mean over folds, ``percent``; ``best``,
    block.feature of the feature that is found best (of the first fold), and its AUROC held out, mean over folds."""
    rows = []
    for (model, concept, kind), mine in table.groupby(["model", "concept", "kind"], sort=False):
        best = mine.loc[mine.groupby("fold")["found"].idxmax()]
        coded, features = mine.groupby("fold")["coded"].sum().mean(), mine.groupby("fold")["features"].sum().iloc[0]
        rows.append(
            {
                "model": model,
                "concept": concept,
                "kind": kind,
                "coded": coded,
                "features": features,
                "percent": 100 * coded / features,
                "threshold": mine["threshold"].iloc[0],
                "best": f"{best['block'].iloc[0]}.{best['best'].iloc[0]}",
                "held_out": best["held_out"].mean(),
                "deviation": best["deviation"].mean(),
            }
        )
    return pd.DataFrame(rows)


def panels(rows: pd.DataFrame) -> Figure:
    """How many features, and how good the best one is; training seeds together."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    named = set(rows["model"])
    hues = [name for name in ORDER if name in named] + sorted(named - set(ORDER))
    titles = {"percent": "features that code it, percent", "held_out": "AUROC of the best, held out"}
    for axis, (column, title) in zip(figure.subplots(1, 2, sharey=True), titles.items(), strict=True):
        shown = {"y": "concept", "x": column, "hue": "model", "hue_order": hues}
        sns.barplot(rows, **shown, errorbar=None, ax=axis, legend=column == "held_out")
        axis.set(title=title, xlabel="", ylabel="")
    for container in figure.axes[0].containers:
        figure.axes[0].bar_label(container, fmt="%.1f", fontsize=7, padding=2)
    figure.axes[1].axvline(rows["threshold"].iloc[0], color="black", linewidth=0.8)
    figure.axes[1].set_xlim(0.3, 1.0)
    figure.axes[1].legend(title=None, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle("Features for what captions say and labels do not")
    return figure
