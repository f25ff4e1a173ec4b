"""Section 4: is the last block's step towards global tokens larger than every earlier block's?"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, NotTested, pooled, vits_and_control
from vitexplore.statistics.intervals import Resampled, resampled_means

TOWARDS_GLOBAL = {"uniformity": 1, "cosine": 1, "stays": -1, "position": -1}
STATEMENTS = {"uniformity": "last_step", "cosine": "cosine", "stays": "stays", "position": "position"}
NAMES = {
    "uniformity": "uniformity of maps",
    "cosine": "mean cosine of tokens",
    "stays": "share of a change that stays",
    "position": "R2 of decoding the position",
}


class Courses:
    """A measure of every model by block, turned so that it rises towards global, over the same images; ``random`` is
    the network with random weights."""

    def __init__(self, trained: dict[str, pd.DataFrame], random: pd.DataFrame, measure: str) -> None:
        values = [self._values(mine, measure) for mine in (*trained.values(), random)]
        finite = np.all([np.isfinite(each).all(0) for each in values], axis=0)
        courses = [resampled_means(each[:, finite]) for each in values]
        self.trained, self.random = dict(zip(trained, courses, strict=False)), courses[-1]

    @staticmethod
    def _values(mine: pd.DataFrame, measure: str) -> np.ndarray:
        rows = mine[mine["measure"] == measure].pivot(index="block", columns="image", values="value")
        return rows.to_numpy() * TOWARDS_GLOBAL[measure]

    def compare(self, of_course: Callable[[list[Resampled]], Resampled]) -> Comparison:
        return Comparison({name: of_course(course) for name, course in self.trained.items()}, of_course(self.random))

    def steps(self) -> Measured:
        """The last block's step against every inner block's."""
        inner = range(1, len(self.random) - 1)
        against = {f"block {b}": self.compare(lambda y, b=b: y[-1] - y[-2] - (y[b] - y[b - 1])) for b in inner}
        if not against:
            raise NotTested("needs ViTs of three blocks at least")
        return Measured(against, list(self.trained), one_control=True)


def analyse(table: pd.DataFrame) -> Analysis:
    trained, random = vits_and_control(table)
    courses = {measure: Courses(trained, random, measure) for measure in TOWARDS_GLOBAL}
    statements = {STATEMENTS[measure]: found.steps() for measure, found in courses.items()}
    rise = {
        "half of the rise": courses["uniformity"].compare(lambda y: y[-1] - y[-2] - (y[-1] - y[0]) * 0.5),
        "no rise": courses["uniformity"].compare(lambda y: y[-1] - y[-2]),
    }
    statements["most_of_the_rise"] = Measured(rise, list(trained), one_control=True)
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
