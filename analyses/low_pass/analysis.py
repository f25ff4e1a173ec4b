"""Fig. 14: accuracy kept under low-pass filters, ViTs against CNNs."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, names, pooled, seeds_of
from vitexplore.statistics.intervals import Resampled, combined, mean_of, resampled_means

FILTERS = {"ideal": "disc", "gaussian": "gaussian"}


class Curves:
    """Of one family's models: bool [models, images] hits on unfiltered images (``whole``) and, for each strength of
    ``filter``, on filtered ones; ``strengths`` rising."""

    def __init__(self, mine: pd.DataFrame, filter: str, chance: float, rank: str = "rank") -> None:
        self.chance, self.whole = chance, self._hits(mine[mine["filter"] == "none"], "rank")
        rows = mine[mine["filter"] == filter]
        self.strengths = np.array(sorted(rows["strength"].unique()))
        self.filtered = [self._hits(rows[rows["strength"] == strength], rank) for strength in self.strengths]

    @staticmethod
    def _hits(rows: pd.DataFrame, rank: str) -> np.ndarray:
        return (rows.pivot(index="model", columns="image", values=rank) < 1).to_numpy()

    def area(self) -> Resampled:
        """Under the accuracy that is kept (above chance over the unfiltered one's) against the logarithm of the
        strength, over the range: 1 where nothing is lost. Mean over models."""
        x = np.log(self.strengths)
        whole = resampled_means(self.whole - self.chance)
        filtered = zip(*(resampled_means(hits - self.chance) for hits in self.filtered), strict=True)

        def under(whole: np.ndarray, *parts: np.ndarray) -> np.ndarray:
            return np.trapezoid(np.stack(parts) / whole, x, axis=0) / (x[-1] - x[0])

        return mean_of([combined(under, one, *parts) for one, parts in zip(whole, filtered, strict=True)])

    def above_chance(self) -> Resampled:
        """Accuracy on unfiltered images, mean over models."""
        return mean_of(resampled_means(self.whole - self.chance))


def filters_of(table: pd.DataFrame) -> dict[str, str]:
    """Those of FILTERS that were tried, by statement."""
    return {name: filter for name, filter in FILTERS.items() if filter in set(table["filter"])}


def at_one_size(table: pd.DataFrame) -> pd.DataFrame:
    """Each model's rows at the common input size, or at its own where that is the common one: a cut-off is a share of
    the input's own Nyquist, and a larger input would keep more of the picture under the same share."""
    with_common = table.groupby("model")["size"].transform(lambda sizes: "common" in set(sizes))
    return table[table["size"] == with_common.map({True: "common", False: "own"})]


def analyse(table: pd.DataFrame) -> Analysis:
    table = table[~table["random_weights"]]
    chance = 1 / int(table["classes"].iloc[0])
    seeds = seeds_of(at_one_size(table), "vit", "cnn")
    models = names(*(rows for pair in seeds.values() for rows in pair))

    def difference(pair: tuple[pd.DataFrame, ...], filter: str, rank: str = "rank") -> Resampled:
        vit, cnn = (Curves(rows, filter, chance, rank).area() for rows in pair)
        return vit - cnn

    families = [[Curves(rows, "disc", chance).above_chance() for rows in pair] for pair in seeds.values()]
    gate = [mean_of(family).estimate() for family in zip(*families, strict=True)]
    statements = {name: Measured({}, models, gate) for name in FILTERS}
    for name, filter in filters_of(table).items():
        each = {seed: difference(pair, filter) for seed, pair in seeds.items()}
        control = difference(next(iter(seeds.values())), filter, "rank_permuted")
        statements[name] = Measured.one(each, control, models, gate)
    rows = summary(table, chance)
    return Analysis(statements, rows, {"low_pass": panels(pooled(table, at_one_size(rows)))})


def summary(table: pd.DataFrame, chance: float) -> pd.DataFrame:
    """model, size, filter, strength, top1 in percent, kept (above chance, of the unfiltered), n."""
    rows = table.assign(top1=100.0 * (table["rank"] < 1))
    grouped = rows.groupby(["model", "size", "filter", "strength"], sort=False)["top1"]
    found = grouped.agg(top1="mean", n="size").reset_index()
    whole = found[found["filter"] == "none"].set_index(["model", "size"])["top1"]
    of_each = pd.MultiIndex.from_frame(found[["model", "size"]])
    return found.assign(kept=(found["top1"] - 100 * chance) / (whole.loc[of_each].to_numpy() - 100 * chance))


def panels(rows: pd.DataFrame) -> Figure:
    """One panel a filter, one line a model, training seeds together."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    labels = {"disc": "cut-off, of Nyquist", "gaussian": "sigma, pixels of a 224 px image"}
    labels = {filter: labels[filter] for filter in filters_of(rows).values()}
    axes = figure.subplots(1, len(labels), squeeze=False)[0]
    for axis, (filter, label) in zip(axes, labels.items(), strict=True):
        mine = rows[rows["filter"] == filter]
        sns.lineplot(mine, x="strength", y="kept", hue="model", marker="o", ax=axis, legend=axis is axes[-1])
        axis.set(xscale="log", title=f"{filter} filter", xlabel=label, ylabel="")
        strengths = sorted(mine["strength"].unique())
        axis.set_xticks(strengths, [f"1/{1 / s:.0f}" if s < 1 else f"{s:g}" for s in strengths])
        axis.minorticks_off()
        axis.axhline(0, color="black", linewidth=0.8)
    figure.axes[0].set_ylabel("top-1 above chance, of the unfiltered")
    axes[-1].legend(title=None, fontsize=9)
    figure.suptitle("Accuracy kept without fine detail")
    return figure
