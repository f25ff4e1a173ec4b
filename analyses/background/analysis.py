"""Table 2: accuracy on foregrounds and backgrounds alone over that on full images, ViTs against CNNs."""

from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, names, pooled, seeds_of
from vitexplore.claims.paper import beside_paper
from vitexplore.data.masks import CONDITIONS, FILLS
from vitexplore.figures import plots
from vitexplore.measures.accuracy import accuracy_table, top_k
from vitexplore.statistics.intervals import Estimate, Resampled, combined, mean_of, resampled_means

REFERENCE = Path(__file__).parent / "reference.csv"
TOLERANCE = 1.0  # points of Table 2
IMAGES = 544_546  # of Table 2: ImageNet's training images with boxes


class Family:
    """Of one family's models: bool [models, images] of top-k hits for each condition and fill, cut along boxes or
    published as cut, over one list of images."""

    def __init__(self, mine: pd.DataFrame, k: int, chance: float) -> None:
        rows, self.chance = mine[mine["along"] != "pixels"], chance
        self.hits = {
            key: (found.pivot(index="model", columns="image", values="rank") < k).to_numpy()
            for key, found in rows.groupby(["condition", "fill"])
        }

    def above_chance(self, condition: str, fill: str) -> list[Resampled]:
        """Each model's accuracy above chance."""
        return resampled_means(self.hits[condition, fill] - self.chance)

    def kept(self, condition: str, fill: str) -> Resampled:
        """Mean over models of the condition's accuracy over the full images', both above chance."""
        pairs = zip(self.above_chance(condition, fill), self.above_chance("full", ""), strict=True)
        return mean_of([combined(np.divide, part, whole) for part, whole in pairs])


def analyse(table: pd.DataFrame) -> Analysis:
    table = table[~table["random_weights"]]
    classes = int(table["classes"].iloc[0])
    k = top_k(classes)
    chance = k / classes
    seeds = seeds_of(table[table["size"] == "own"], "vit", "cnn")
    models = names(*(rows for pair in seeds.values() for rows in pair))
    pairs = {seed: [Family(rows, k, chance) for rows in pair] for seed, pair in seeds.items()}

    def compare(condition: str, fill: str) -> Comparison:
        """ViTs minus CNNs; the control, on the mean of all images."""
        each = {seed: vit.kept(condition, fill) - cnn.kept(condition, fill) for seed, (vit, cnn) in pairs.items()}
        vit, cnn = next(iter(pairs.values()))
        return Comparison(each, vit.kept("mean_image", "") - cnn.kept("mean_image", ""))

    def room(condition: str, fill: str) -> list[Estimate]:
        """Accuracy above chance on what is left, of ViTs and of CNNs."""
        families = zip(*pairs.values(), strict=True)
        return [
            mean_of([m for one in family for m in one.above_chance(condition, fill)]).estimate() for family in families
        ]

    statements = {}
    black = FILLS[0]
    others = [fill for fill in FILLS[1:] if fill in set(table["fill"])]  # published pictures have black alone
    for condition in ("background", "foreground"):
        statements[f"{condition}_alone"] = Measured({"": compare(condition, black)}, models, room(condition, black))
        statements[f"{condition}_other_fills"] = Measured({fill: compare(condition, fill) for fill in others}, models)
    rows = summary(table, k, chance)
    named = pooled(table, rows)
    shown = named[(named["size"] == "own") & named["fill"].isin([FILLS[0]]) & (named["along"] != "pixels")]
    figure = plots.bars(
        shown.groupby(["condition", "model"], sort=False)["retained"].mean().reset_index(),
        "condition", "retained", "model", "Accuracy kept without the rest of the image",
        ("what is left of the image", f"top-{k} above chance, of the full image's"),
    )  # fmt: skip
    return Analysis(statements, rows, {"background": figure, "background_fills": fills(named)})


def summary(table: pd.DataFrame, k: int, chance: float) -> pd.DataFrame:
    """model, architecture, size, condition, fill, along, top1, top2, top5 in percent, n, cropped (mean share of the box
    that the crop cuts away), retained (top-k above chance over the full image's), norm_top5 (top-5 of the full image's,
    in percent, as Table 2 has it) and, beside a model's own size in black along boxes, Table 2's number."""
    frames = []
    for (model, architecture, size), mine in table.groupby(["model", "architecture", "size"], sort=False):
        accuracies = accuracy_table(mine, ["condition", "fill", "along"])
        whole = accuracies[accuracies["condition"] == "full"]
        above = accuracies[f"top{k}"] / 100 - chance
        accuracies["retained"] = above / (whole[f"top{k}"].item() / 100 - chance)
        plain = accuracies["condition"] == "full"
        accuracies["norm_top5"] = accuracies["top5"].where(plain, 100 * accuracies["top5"] / whole["top5"].item())
        named = {"model": model, "architecture": architecture, "size": size, "cropped": mine["cropped"].mean()}
        frames.append(pd.DataFrame(named, index=accuracies.index).join(accuracies))
    rows = pd.concat(frames, ignore_index=True)
    as_printed = (rows["size"] == "own") & rows["fill"].isin(["", FILLS[0]]) & rows["along"].isin(["", "boxes"])
    compared = [
        beside_paper(mine, REFERENCE, [], {"norm_top5": f"norm_{condition}_top5"}, TOLERANCE, IMAGES)
        for condition, mine in rows[as_printed].groupby("condition", sort=False)
        if condition in CONDITIONS
    ]
    rest = rows[~as_printed | ~rows["condition"].isin(CONDITIONS)]
    return pd.concat([*compared, rest], ignore_index=True)


def fills(rows: pd.DataFrame) -> Figure:
    """One panel for what is left, one group of bars for what stands in for the rest; models of one name together."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    mine = rows[(rows["size"] == "own") & rows["fill"].isin(FILLS)]
    labelled = mine.assign(cut=mine["fill"].where(mine["along"] != "pixels", mine["fill"] + "\nalong pixels"))
    for axis, condition in zip(figure.subplots(1, 2), ("foreground", "background"), strict=True):
        shown = labelled[labelled["condition"] == condition]
        sns.barplot(shown, x="cut", y="retained", hue="model", errorbar=None, ax=axis, legend=condition == "background")
        axis.set(title=f"{condition} alone", xlabel="what stands in for the rest", ylabel="")
    figure.axes[0].set_ylabel("accuracy above chance, of the full image's")
    figure.axes[1].legend(title=None, fontsize=9)
    return figure
