"""Section 4: is the last block's step towards global tokens larger than every earlier block's?"""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, of_each, pooled, vits_and_control
from vitexplore.stats import Estimate, bootstrap

TOWARDS_GLOBAL = {"uniformity": 1, "cosine": 1, "stays": -1, "position": -1}
NAMES = {
    "uniformity": "uniformity of maps",
    "cosine": "mean cosine of tokens",
    "stays": "share of a change that stays",
    "position": "R2 of decoding the position",
}


def excess_of_last_step(mine: pd.DataFrame, measure: str) -> Estimate:
    """The last block's step towards global minus the largest earlier one."""
    rows = mine[mine["measure"] == measure]
    values = rows.pivot(index="block", columns="image", values="value").to_numpy() * TOWARDS_GLOBAL[measure]
    values = values[:, np.isfinite(values).all(0)]

    def statistic(images: np.ndarray) -> float:
        steps = np.diff(values[:, images].mean(1))
        return float(steps[-1] - steps[:-1].max())

    return bootstrap(statistic, {"images": values.shape[1]})


def analyse(table: pd.DataFrame) -> Analysis:
    trained, random = vits_and_control(table)
    statements = {
        measure: Measured(
            of_each(trained, lambda mine, measure=measure: excess_of_last_step(mine, measure)),
            excess_of_last_step(random[0], measure),
        )
        for measure in TOWARDS_GLOBAL
    }
    grouped = table[table["measure"].isin(TOWARDS_GLOBAL)].groupby(["model", "measure", "block"], sort=False)["value"]
    summary = grouped.agg(mean="mean", n="count").reset_index()
    return Analysis(statements, summary, {"local_until_last": panels(pooled(table, summary))})


def panels(summary: pd.DataFrame) -> Figure:
    """One panel a measure, one line a model."""
    figure = Figure(figsize=(9.5, 6.5), layout="constrained")
    for axis, (measure, name) in zip(figure.subplots(2, 2).flat, NAMES.items(), strict=True):
        rows = summary[summary["measure"] == measure]
        sns.lineplot(rows, x="block", y="mean", hue="model", marker="o", ax=axis, legend=measure == "uniformity")
        axis.set(title=name, xlabel="block", ylabel="", ylim=(-0.1, 1.05))
    figure.axes[0].legend(title=None, fontsize=9)
    figure.suptitle("How local a block's positions are")
    return figure
