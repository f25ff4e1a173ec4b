"""Table 2: accuracy on foregrounds and backgrounds alone over that on full images, every ViT against every CNN."""

from itertools import product
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, families_of, names, pooled
from vitexplore.claims.paper import beside_paper
from vitexplore.data.masks import CONDITIONS, FILLS
from vitexplore.figures import plots
from vitexplore.measures.accuracy import accuracy_table, top_k
from vitexplore.statistics.intervals import Estimate, Resampled, mean_of, ratio, resampled_mean

REFERENCE = Path(__file__).parent / "reference.csv"
TOLERANCE = 1.0  # points of Table 2
IMAGES = 544_546  # of Table 2: ImageNet's training images with boxes
MATCHED = 0.02  # by which the top-1 accuracy of a matched pair may differ
BLACK = FILLS[0]


class Network:
    """Of one model: bool [images] of top-k hits for each condition and fill, cut along boxes or published as cut, in
    the order of images; ``top1``: its accuracy on full images."""

    def __init__(self, mine: pd.DataFrame, k: int, chance: float) -> None:
        rows, self.chance = mine[mine["along"] != "pixels"].sort_values("image"), chance
        ranks = {key: found["rank"].to_numpy() for key, found in rows.groupby(["condition", "fill"])}
        self.hits = {key: rank < k for key, rank in ranks.items()}
        self.top1 = float((ranks["full", ""] < 1).mean())

    def above_chance(self, condition: str, fill: str) -> Resampled:
        return resampled_mean(self.hits[condition, fill] - self.chance)

    def kept(self, condition: str, fill: str) -> Resampled:
        """The condition's accuracy over the full images', both above chance."""
        return ratio(self.above_chance(condition, fill), self.above_chance("full", ""))


Pairs = dict[str, tuple[Network, Network]]


def compare(pairs: Pairs, condition: str, fill: str) -> Comparison:
    """ViT minus CNN; the control, on the mean of all images."""
    each = {name: vit.kept(condition, fill) - cnn.kept(condition, fill) for name, (vit, cnn) in pairs.items()}
    mean = {name: vit.kept("mean_image", "") - cnn.kept("mean_image", "") for name, (vit, cnn) in pairs.items()}
    return Comparison(each, mean)


def room(families: tuple[list[Network], ...], condition: str, fill: str) -> list[Estimate]:
    """What the family keeps that keeps more: mean over its models."""
    means = [mean_of([network.kept(condition, fill) for network in family]) for family in families]
    return [max(means, key=lambda mean: mean.value).estimate()]


def analyse(table: pd.DataFrame) -> Analysis:
    table = table[~table["random_weights"]]
    classes = int(table["classes"].iloc[0])
    k = top_k(classes)
    chance = k / classes
    vits, cnns = families_of(table[table["size"] == "own"], "vit", "cnn")
    networks = {name: Network(mine, k, chance) for name, mine in (vits | cnns).items()}
    models = names(*vits.values(), *cnns.values())
    families = tuple([networks[name] for name in family] for family in (vits, cnns))
    pairs = {f"{vit} over {cnn}": (networks[vit], networks[cnn]) for vit, cnn in product(vits, cnns)}
    matched = {name: pair for name, pair in pairs.items() if abs(pair[0].top1 - pair[1].top1) <= MATCHED}
    others = [fill for fill in FILLS[1:] if fill in set(table["fill"])]  # published pictures have black alone
    statements = {}
    for condition in ("background", "foreground"):
        gate = room(families, condition, BLACK)
        statements[f"{condition}_alone"] = Measured({"": compare(pairs, condition, BLACK)}, models, gate, every=True)
        statements[f"{condition}_matched"] = (
            Measured({"": compare(matched, condition, BLACK)}, models, gate, every=True)
            if matched
            else Measured.not_testable("no ViT is within 2 points of a CNN in top-1 accuracy", models)
        )
        statements[f"{condition}_other_fills"] = (
            Measured({fill: compare(pairs, condition, fill) for fill in others}, models, gate, every=True)
            if others
            else Measured.not_testable("these pictures are published with black alone", models)
        )
    rows = summary(table, k, chance)
    return Analysis(statements, rows, {"background": kept_bars(pooled(table, rows), k)})


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
    as_printed = (rows["size"] == "own") & rows["fill"].isin(["", BLACK]) & rows["along"].isin(["", "boxes"])
    compared = [
        beside_paper(mine, REFERENCE, [], {"norm_top5": f"norm_{condition}_top5"}, TOLERANCE, IMAGES)
        for condition, mine in rows[as_printed].groupby("condition", sort=False)
        if condition in CONDITIONS
    ]
    rest = rows[~as_printed | ~rows["condition"].isin(CONDITIONS)]
    return pd.concat([*compared, rest], ignore_index=True)


def kept_bars(rows: pd.DataFrame, k: int) -> Figure:
    """What each model keeps without the rest of the image, in black; models of one name together."""
    mine = rows[(rows["size"] == "own") & rows["fill"].isin([BLACK]) & (rows["along"] != "pixels")]
    shown = mine.groupby(["condition", "model"], sort=False)["retained"].mean().reset_index()
    title = "Accuracy kept without the rest of the image"
    labels = ("what is left of the image", f"top-{k} above chance, of the full image's")
    return plots.bars(shown, "condition", "retained", "model", title, labels)
