"""Appendix F: does the last block's attention pool, writing the same into every patch?"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, NotTested, pooled, vits_and_control
from vitexplore.statistics.intervals import Resampled, combined, resampled_means

SILENT = 1e-3  # of the stream's energy: less than this is no write
PANELS = {
    "common": "what attention writes: share common to all patches",
    "entropy": "entropy of attention, of a uniform one's",
    "r2": "R2 of the plain mean of the values",
}


class Blocks:
    """Of one model each measure of a block and image: float [blocks, images]."""

    def __init__(self, mine: pd.DataFrame) -> None:
        self.found = {
            measure: rows.pivot(index="block", columns="image", values="value").to_numpy()
            for measure, rows in mine.groupby("measure")
        }

    def of_each(self, function: Callable[..., np.ndarray], *measures: str) -> list[Resampled]:
        """By block, ``function`` of the means over images of ``measures``."""
        means = zip(*(resampled_means(self.found[measure]) for measure in measures), strict=True)
        return [combined(function, *block) for block in means]


def common(write_common: np.ndarray, write: np.ndarray, stream: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Of what attention writes into the patches, the share that is common to all positions, less what independent
    writes have in common by chance; 0 where it writes next to nothing."""
    share = (write_common / np.maximum(write, 1e-300) - 1 / positions) / (1 - 1 / positions)
    return np.where(write > SILENT * stream, share, 0.0)


def r2(residual: np.ndarray, total: np.ndarray) -> np.ndarray:
    """0 where there is nothing to explain: heads that put out the same for every image."""
    return np.where(total > 0, 1 - residual / np.maximum(total, 1e-300), 0.0)


STATISTICS: dict[str, Callable[[Blocks], list[Resampled]]] = {
    "common_write": lambda mine: mine.of_each(common, "write_common", "write", "stream", "positions"),
    "attends_everywhere": lambda mine: mine.of_each(lambda entropy: entropy, "entropy_patches"),
    "like_a_mean": lambda mine: mine.of_each(r2, "residual_patches", "total_patches"),
    "cls_like_a_mean": lambda mine: mine.of_each(r2, "residual_cls", "total_cls"),
}


def analyse(table: pd.DataFrame) -> Analysis:
    table = table[table["measure"].str.contains("_cls|_patches|write|stream|positions")]
    if table.empty:
        raise NotTested("no plain ViT at this scale")
    trained, random = vits_and_control(table)
    blocks = {name: Blocks(mine) for name, mine in (trained | {"": random}).items()}
    statements = {name: last_minus_inner(blocks, statistic) for name, statistic in STATISTICS.items()}
    rows = summary(table)
    return Analysis(statements, rows, {"learned_pooling": panels(pooled(table, rows))})


def last_minus_inner(blocks: dict[str, Blocks], statistic: Callable[[Blocks], list[Resampled]]) -> Measured:
    """The last block's minus each earlier one's; the control is the network with random weights, named ""."""
    courses = {name: statistic(mine) for name, mine in blocks.items()}
    random = courses.pop("")
    comparisons = {
        f"block {b}": Comparison({name: y[-1] - y[b] for name, y in courses.items()}, random[-1] - random[b])
        for b in range(len(random) - 1)
    }
    return Measured(comparisons, list(courses), one_control=True)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """model, block, query, entropy, r2, common (of the patches), n."""
    frames = []
    for model, mine in table.groupby("model", sort=False):
        means = mine.pivot_table(index="block", columns="measure", values="value", sort=False)
        shared = common(*(means[name] for name in ("write_common", "write", "stream", "positions")))
        for query in ("cls", "patches"):
            rows = pd.DataFrame({"model": model, "block": means.index, "query": query})
            rows["entropy"] = means[f"entropy_{query}"].to_numpy()
            rows["r2"] = r2(means[f"residual_{query}"].to_numpy(), means[f"total_{query}"].to_numpy())
            rows["common"] = shared if query == "patches" else np.nan
            frames.append(rows.assign(n=mine["image"].nunique()))
    return pd.concat(frames, ignore_index=True)


def panels(rows: pd.DataFrame) -> Figure:
    """One panel a measure, one line a model and query, training seeds together."""
    figure = Figure(figsize=(14, 4.2), layout="constrained")
    for axis, (column, name) in zip(figure.subplots(1, 3), PANELS.items(), strict=True):
        last = column == "r2"
        sns.lineplot(rows, x="block", y=column, hue="model", style="query", marker="o", ax=axis, legend=last)
        axis.set(title=name, xlabel="block", ylabel="")
    figure.axes[2].legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    figure.suptitle("Does attention pool? Each block's")
    return figure
