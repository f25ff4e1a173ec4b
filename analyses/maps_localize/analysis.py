"""Figs. 2a and 4: AUROC of activation maps against the object's mask, over the best map that needs no network."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from vitexplore.claims.decide import Analysis, Comparison, Measured, NotTested, by_model, deciding, pooled
from vitexplore.figures import plots
from vitexplore.statistics.intervals import Resampled, resampled_grid, resampled_mean
from vitexplore.statistics.splits import halves

FEWEST = 20  # usable images, without which nothing is decided, and nothing shown of a block


class Maps:
    """AUROCs of maps by block: ``own`` and ``other`` (against another image's mask) float [images, maps] on the second
    half of the images, turned by signs that were chosen on the first half, where ``strength`` [maps] is how far from
    chance each is. ``usable`` bool [images]: those whose object covers some positions and not all."""

    def __init__(self, rows: pd.DataFrame, usable: np.ndarray) -> None:
        first, second = (np.flatnonzero(usable)[half] for half in halves(int(usable.sum())))
        self.own: dict[int, np.ndarray] = {}
        self.other: dict[int, np.ndarray] = {}
        self.strength: dict[int, np.ndarray] = {}
        for block, mine in rows.groupby("block"):
            own, other = (np.stack(mine[column].to_list(), axis=1) for column in ("auroc", "control"))
            mean = own[first].mean(0)
            sign = np.where(mean >= 0.5, 1.0, -1.0)
            self.own[block], self.other[block] = _turn(own[second], sign), _turn(other[second], sign)
            self.strength[block] = np.abs(mean - 0.5)

    def best(self, control: bool = False) -> np.ndarray:
        """The AUROC of the map that is best on the first half: float [images]."""
        block = max(self.strength, key=lambda block: self.strength[block].max())
        return (self.other if control else self.own)[block][:, self.strength[block].argmax()]


def _turn(auroc: np.ndarray, sign: np.ndarray) -> np.ndarray:
    return 0.5 + sign * (auroc - 0.5)


def usable_images(*tables: pd.DataFrame) -> np.ndarray:
    """bool [images]: where no map and no control is missing."""
    rows = [found for table in tables for column in ("auroc", "control") for found in table[column]]
    return np.all([~np.isnan(found) for found in rows], axis=0)


def analyse(table: pd.DataFrame, trivial: pd.DataFrame) -> Analysis:
    vits = by_model(deciding(table), "vit")
    random = table[table["random_weights"] & table["family"].eq("vit")]
    if random.empty:
        raise NotTested("needs the ViT with random weights too")
    compared = [*vits, *random["model"].unique()[:1]]
    pairs = {name: (table[table["model"] == name], trivial[trivial["model"] == name]) for name in compared}
    usable = usable_images(*(rows for pair in pairs.values() for rows in pair))
    if usable.sum() < FEWEST:
        raise NotTested(f"needs {FEWEST} images whose object covers some positions and not all; found {usable.sum()}")
    maps = {name: Maps(mine[mine["block"] < mine["block"].max()], usable) for name, (mine, _) in pairs.items()}
    pixels = {name: Maps(mine, usable) for name, (_, mine) in pairs.items()}
    first = compared[0]

    def best(name: str, control: bool = False) -> Resampled:
        return resampled_mean(maps[name].best(control))

    def over(baseline: Callable[[str], Resampled]) -> Comparison:
        each = {name: best(name) - baseline(name) for name in vits}
        return Comparison(each, best(first, control=True) - baseline(first))

    against = {"pixels": over(lambda name: resampled_mean(pixels[name].best()))}
    against["random weights"] = over(lambda _: best(compared[-1]))
    statements = {
        "best_maps": Measured(against, list(vits)),
        "all_maps": Measured.one({name: gains(maps[name]) for name in vits}, gains(maps[first], exchanged=True)),
    }
    rows = summary(table, trivial)
    figure = plots.lines(
        pooled(table, rows), "block", "auroc", "model",
        "Each block's best map, against the object's mask", ("block", "AUROC"), style="maps",
    )  # fmt: skip
    return Analysis(statements, rows, {"maps_localize": figure})


def gains(maps: Maps, exchanged: bool = False) -> Resampled:
    """AUROC over that against another image's mask, mean over all features of all blocks; images and features
    resampled. With ``exchanged`` (the control) the features' signs are drawn."""
    features = min(own.shape[1] for own in maps.own.values())
    gains = [(own - maps.other[block])[:, :features] for block, own in maps.own.items()]
    if exchanged:
        rng = np.random.default_rng(0)
        gains = [gain * rng.choice((-1.0, 1.0), size=features) for gain in gains]
    return resampled_grid(np.mean(gains, axis=0))


def summary(table: pd.DataFrame, trivial: pd.DataFrame) -> pd.DataFrame:
    """model, block, maps (own, other image's, or of pixels), auroc, n: over the images that are usable for each model
    and block."""
    rows = []
    for (model, block), mine in table.groupby(["model", "block"], sort=False):
        of_model = trivial[(trivial["model"] == model) & (trivial["block"] <= block)]
        grid = of_model[of_model["block"] == of_model["block"].max()].assign(block=block)
        usable = usable_images(mine, grid)
        if usable.sum() < FEWEST:
            continue
        own, pixels = Maps(mine, usable), Maps(grid, usable)
        found = {"own": own.best(), "other image's": own.best(control=True), "pixels": pixels.best()}
        rows += [
            {"model": model, "block": block, "maps": name, "auroc": values.mean(), "n": len(values)}
            for name, values in found.items()
        ]
    return pd.DataFrame(rows)
