"""Appendix F: does the last block's attention pool, as a plain mean would?"""

from functools import partial

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, NotTested, of_each, pooled, vits_and_control
from vitexplore.stats import Estimate, bootstrap

PANELS = {"entropy": "entropy of attention, of a uniform one's", "r2": "R2 of the plain mean of the values"}


def by_block(mine: pd.DataFrame, measure: str) -> np.ndarray:
    """float [blocks, images]."""
    return mine[mine["measure"] == measure].pivot(index="block", columns="image", values="value").to_numpy()


def last_over_earlier(by_block: np.ndarray) -> float:
    """``by_block`` float [blocks]."""
    return float(by_block[-1] - by_block[:-1].max())


def entropy(mine: pd.DataFrame) -> Estimate:
    values = by_block(mine, "entropy_patches")
    return bootstrap(lambda images: last_over_earlier(values[:, images].mean(1)), {"images": values.shape[1]})


def r2(residual: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Of each block, from sums over images: float [blocks]."""
    return 1 - residual.sum(1) / total.sum(1)


def like_a_mean(mine: pd.DataFrame, query: str) -> Estimate:
    residual, total = by_block(mine, f"residual_{query}"), by_block(mine, f"total_{query}")
    return bootstrap(
        lambda images: last_over_earlier(r2(residual[:, images], total[:, images])), {"images": total.shape[1]}
    )


def analyse(table: pd.DataFrame) -> Analysis:
    table = table[table["measure"].str.contains("_cls|_patches")]
    if table.empty:
        raise NotTested("no plain ViT at this scale")
    trained, random = vits_and_control(table)
    statistics = {
        "attends_everywhere": entropy,
        "like_a_mean": partial(like_a_mean, query="patches"),
        "cls_like_a_mean": partial(like_a_mean, query="cls"),
    }
    statements = {
        name: Measured(of_each(trained, statistic), statistic(random[0])) for name, statistic in statistics.items()
    }
    rows = summary(table)
    return Analysis(statements, rows, {"learned_pooling": panels(pooled(table, rows))})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """model, block, query, entropy, r2, n."""
    rows = []
    for model, mine in table.groupby("model", sort=False):
        for query in ("cls", "patches"):
            spread = by_block(mine, f"entropy_{query}")
            explained = r2(by_block(mine, f"residual_{query}"), by_block(mine, f"total_{query}"))
            rows += [
                {
                    "model": model,
                    "block": block,
                    "query": query,
                    "entropy": spread[block].mean(),
                    "r2": explained[block],
                }
                | {"n": spread.shape[1]}
                for block in range(len(spread))
            ]
    return pd.DataFrame(rows)


def panels(rows: pd.DataFrame) -> Figure:
    """One panel a measure, one line a model and query, training seeds together."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    for axis, (column, name) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
        last = column == "r2"
        sns.lineplot(rows, x="block", y=column, hue="model", style="query", marker="o", ax=axis, legend=last)
        axis.set(title=name, xlabel="block", ylabel="")
    figure.axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    figure.suptitle("Does attention pool? Each block's, over all tokens")
    return figure
