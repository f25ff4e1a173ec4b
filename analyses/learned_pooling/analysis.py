"""Appendix F: does the last block's attention pool, writing the same into every patch?"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, NotTested, pooled, vits_and_control
from vitexplore.statistics.intervals import Bootstrap

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
        self.images = self.found["write"].shape[1]

    def common(self, images: np.ndarray) -> np.ndarray:
        """float [blocks]: of what attention writes into the patches, the share that is common to all positions, less
        what independent writes have in common by chance; 0 for a block that writes next to nothing."""
        common, write, stream = (self.found[name][:, images].sum(1) for name in ("write_common", "write", "stream"))
        by_chance = 1 / self.found["positions"][:, images].mean(1)
        share = (common / np.maximum(write, 1e-300) - by_chance) / (1 - by_chance)
        return np.where(write > SILENT * stream, share, 0.0)

    def entropy(self, images: np.ndarray) -> np.ndarray:
        return self.found["entropy_patches"][:, images].mean(1)

    def like_a_mean(self, query: str, images: np.ndarray) -> np.ndarray:
        """R2 of each block, from sums over images."""
        residual, total = (self.found[f"{name}_{query}"][:, images].sum(1) for name in ("residual", "total"))
        return 1 - residual / total


STATISTICS: dict[str, Callable[[Blocks, np.ndarray], np.ndarray]] = {
    "common_write": Blocks.common,
    "attends_everywhere": Blocks.entropy,
    "like_a_mean": lambda blocks, images: blocks.like_a_mean("patches", images),
    "cls_like_a_mean": lambda blocks, images: blocks.like_a_mean("cls", images),
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


def last_minus_inner(blocks: dict[str, Blocks], statistic: Callable[[Blocks, np.ndarray], np.ndarray]) -> Measured:
    """The last block's minus each earlier one's; the control is the network with random weights, named ""."""
    courses = {
        name: Bootstrap({"images": mine.images}).each(lambda images, mine=mine: statistic(mine, images))
        for name, mine in blocks.items()
    }
    random = courses.pop("")
    comparisons = {
        f"block {b}": Comparison({name: y[-1] - y[b] for name, y in courses.items()}, random[-1] - random[b])
        for b in range(len(random) - 1)
    }
    return Measured(comparisons, list(courses))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """model, block, query, entropy, r2, common (of the patches), n."""
    rows = []
    for model, mine in table.groupby("model", sort=False):
        blocks = Blocks(mine)
        images = np.arange(blocks.images)
        common = blocks.common(images)
        for query in ("cls", "patches"):
            entropy = blocks.found[f"entropy_{query}"].mean(1)
            explained = blocks.like_a_mean(query, images)
            for block in range(len(entropy)):
                row = {"model": model, "block": block, "query": query, "entropy": entropy[block], "r2": explained[block]}
                row["common"] = common[block] if query == "patches" else np.nan
                rows.append({**row, "n": blocks.images})
    return pd.DataFrame(rows)


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
