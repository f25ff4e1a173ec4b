"""Table 2: accuracy on foregrounds and backgrounds alone over that on full images, every ViT against every CNN."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, families_of, names, pooled, rows_for_people
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
CUT = ["condition", "fill", "along"]


class Network:
    """Of one model at one input size: bool [images] of top-k hits for each condition and fill, in the order of
    ``images``, cut along boxes or published as cut (``hits``) and along pixels (``hits_along_pixels``); ``top1``: its
    accuracy on full images."""

    def __init__(self, mine: pd.DataFrame, k: int, chance: float) -> None:
        rows, self.chance = mine.sort_values("image"), chance
        self.images = np.sort(mine["image"].unique())
        along_pixels = rows["along"] == "pixels"
        ranks, of_pixels = (
            {key: found["rank"].to_numpy() for key, found in part.groupby(["condition", "fill"])}
            for part in (rows[~along_pixels], rows[along_pixels])
        )
        self.hits, self.hits_along_pixels = (
            {key: rank < k for key, rank in each.items()} for each in (ranks, of_pixels)
        )
        self.top1 = float((ranks["full", ""] < 1).mean())

    def above_chance(self, condition: str, fill: str, along: str = "") -> Resampled:
        found = self.hits_along_pixels if along == "pixels" else self.hits
        return resampled_mean(found[condition, fill] - self.chance)

    def kept(self, condition: str, fill: str, along: str = "") -> Resampled:
        """The condition's accuracy over the full images', both above chance."""
        return ratio(self.above_chance(condition, fill, along), self.above_chance("full", ""))


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
    by_image = pd.Series(np.subtract(*(hit_rates(family) for family in families)), families[0][0].images)
    return Analysis(statements, rows, {"background": kept_bars(pooled(table, rows), k)}, by_image)


def hit_rates(family: list[Network]) -> np.ndarray:
    """By image the share of a family that finds its class in the background alone."""
    return np.mean([network.hits["background", BLACK] for network in family], axis=0)


def summary(table: pd.DataFrame, k: int, chance: float) -> pd.DataFrame:
    """model (training seeds also together, and ``within`` which row), architecture, family, size, condition, fill,
    along, images; retained (top-k above chance over the full image's), with its interval, k; of single models also
    top1, top2, top5 in percent, n, cropped (mean share of the box that the crop cuts away), norm_top5 (top-5 of the
    full image's, in percent, as Table 2 has it) and, beside a model's own size in black along boxes, Table 2's
    number."""
    frames = []
    for size, of_size in table.groupby("size", sort=False):
        for known, each in rows_for_people(of_size):
            networks = [Network(mine, k, chance) for mine in each]
            rows = each[0].drop_duplicates(CUT)[CUT].reset_index(drop=True)
            found = [
                mean_of([network.kept(*key) for network in networks]).estimate()
                for key in rows.itertuples(index=False, name=None)
            ]
            rows = rows.assign(
                **known, size=size, k=k, images=len(networks[0].images), retained=[one.value for one in found]
            )
            rows = rows.assign(retained_low=[one.low for one in found], retained_high=[one.high for one in found])
            frames.append(rows if len(each) > 1 else rows.merge(_of_one(each[0])))
    rows = pd.concat(frames, ignore_index=True)
    as_printed = rows["top5"].notna() & (rows["size"] == "own") & rows["fill"].isin(["", BLACK])
    as_printed &= rows["along"].isin(["", "boxes"]) & rows["condition"].isin(CONDITIONS)
    compared = [
        beside_paper(mine, REFERENCE, [], {"norm_top5": f"norm_{condition}_top5"}, TOLERANCE, IMAGES)
        for condition, mine in rows[as_printed].groupby("condition", sort=False)
    ]
    return pd.concat([*compared, rows[~as_printed]], ignore_index=True)


def _of_one(mine: pd.DataFrame) -> pd.DataFrame:
    accuracies = accuracy_table(mine, CUT)
    plain = accuracies["condition"] == "full"
    whole = accuracies.loc[plain, "top5"].item()
    normed = accuracies["top5"].where(plain, 100 * accuracies["top5"] / whole)
    return accuracies.assign(norm_top5=normed, cropped=mine["cropped"].mean())


def kept_bars(rows: pd.DataFrame, k: int) -> Figure:
    """What each model keeps without the rest of the image, in black; models of one name together."""
    mine = rows[(rows["size"] == "own") & rows["fill"].isin([BLACK]) & (rows["along"] != "pixels") & rows["n"].notna()]
    shown = mine.groupby(["condition", "model"], sort=False)["retained"].mean().reset_index()
    title = "Accuracy kept without the rest of the image"
    labels = ("what is left of the image", f"top-{k} above chance, of the full image's")
    return plots.bars(shown, "condition", "retained", "model", title, labels)
