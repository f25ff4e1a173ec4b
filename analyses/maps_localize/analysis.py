"""Figs. 2a and 4: AUROC of activation maps against the object's mask, block by block."""

import numpy as np
import pandas as pd

from vitexplore.claims.decide import Analysis, Measured, NotTested, pooled
from vitexplore.figures import plots
from vitexplore.stats import Estimate, bootstrap, halves

BEST = 0.1  # share of a block's features


class Maps:
    """One model's AUROCs on the second half of the images, by block: ``own`` and ``other`` (another image's map)
    float [images, features], turned by signs that were chosen on the first half, as was ``order``, best first."""

    def __init__(self, mine: pd.DataFrame) -> None:
        self.blocks = []
        for _, rows in mine.groupby("block"):
            own = rows.pivot(index="image", columns="feature", values="auroc").to_numpy(np.float64)
            other = rows.pivot(index="image", columns="feature", values="control").to_numpy(np.float64)
            first, second = halves(len(own))
            mean = own[first].mean(0)
            sign = np.where(mean >= 0.5, 1.0, -1.0)
            order = np.argsort(-np.abs(mean - 0.5), kind="stable")
            self.blocks.append((_turn(own[second], sign), _turn(other[second], sign), order))

    def best(self, block: int, images: np.ndarray, control: bool = False) -> float:
        own, other, order = self.blocks[block]
        chosen = order[: max(1, round(BEST * len(order)))]
        return float((other if control else own)[images][:, chosen].mean())

    def count(self, block: int) -> int:
        return len(self.blocks[block][0])


def _turn(auroc: np.ndarray, sign: np.ndarray) -> np.ndarray:
    return 0.5 + sign * (auroc - 0.5)


def best_of_inner(maps: Maps, control: bool) -> Estimate:
    inner = range(len(maps.blocks) - 1)
    images = min(maps.count(block) for block in inner)
    return bootstrap(lambda i: float(np.mean([maps.best(block, i, control) for block in inner])), {"images": images})


def all_of_inner(maps: Maps, control: bool) -> Estimate:
    """Resamples images and features; the control draws the features' signs anew."""
    inner = maps.blocks[:-1]
    images = min(len(own) for own, *_ in inner)
    features = min(own.shape[1] for own, *_ in inner)
    rng = np.random.default_rng(0)
    gains = []
    for own, other, _ in inner:
        gain = own[:images, :features] - other[:images, :features]
        gains.append(gain * rng.choice((-1.0, 1.0), size=features) if control else gain)
    gain = np.mean(gains, axis=0)
    return bootstrap(lambda i, f: float(gain[i][:, f].mean()), {"images": images, "features": features})


def analyse(table: pd.DataFrame) -> Analysis:
    table = table[~table["random_weights"]]
    models = {model: Maps(mine) for model, mine in table.groupby("model", sort=False)}
    families = table.groupby("model")["family"].first()
    vits = {model: maps for model, maps in models.items() if families[model] == "vit"}
    if not vits:
        raise NotTested("no ViT classifier at this scale")
    first = next(iter(vits.values()))
    statements = {
        "best_maps": Measured(
            {name: best_of_inner(maps, False) for name, maps in vits.items()}, best_of_inner(first, True)
        ),
        "all_maps": Measured(
            {name: all_of_inner(maps, False) for name, maps in vits.items()}, all_of_inner(first, True)
        ),
    }
    rows = []
    for model, maps in models.items():
        for block in range(len(maps.blocks)):
            images = np.arange(maps.count(block))
            for name, control in (("own", False), ("other image's", True)):
                value = maps.best(block, images, control)
                rows.append({"model": model, "block": block, "maps": name, "auroc": value, "n": len(images)})
    summary = pd.DataFrame(rows)
    title = "The best tenth of the maps, against the object's mask"
    figure = plots.lines(pooled(table, summary), "block", "auroc", "model", title, ("block", "AUROC"), style="maps")
    return Analysis(statements, summary, {"maps_localize": figure})
