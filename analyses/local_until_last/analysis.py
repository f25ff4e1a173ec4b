"""Section 4: do maps become uniform in the last block, and not before?"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, NotTested, pooled, vits_and_control
from vitexplore.figures.style import COLOURS
from vitexplore.statistics.intervals import Resampled, combined, least, ratio, resampled_means

TOWARDS_GLOBAL = {"uniformity": 1, "cosine": 1, "stays": -1, "position": -1}
STATEMENTS = {"uniformity": "last_step", "cosine": "cosine", "stays": "stays", "position": "position"}
Course = list[Resampled]  # by block


class Courses:
    """A measure of every model by block, turned so that it rises towards global, over the same images; ``random`` is
    the network with random weights."""

    def __init__(self, trained: dict[str, pd.DataFrame], random: pd.DataFrame, measure: str) -> None:
        values = [self._values(mine, measure) for mine in (*trained.values(), random)]
        finite = np.all([np.isfinite(each).all(0) for each in values], axis=0)
        courses = [resampled_means(each[:, finite]) for each in values]
        self.trained, self.random = dict(zip(trained, courses, strict=False)), courses[-1]
        if len(self.random) < 3:
            raise NotTested("needs ViTs of three blocks at least")

    @staticmethod
    def _values(mine: pd.DataFrame, measure: str) -> np.ndarray:
        rows = mine[mine["measure"] == measure].pivot(index="block", columns="image", values="value")
        return rows.to_numpy() * TOWARDS_GLOBAL[measure]

    def compare(self, of_course: Callable[[Course], Resampled]) -> Comparison:
        return Comparison({name: of_course(course) for name, course in self.trained.items()}, of_course(self.random))

    def steps(self) -> Measured:
        """The last block's step less the largest step of an inner block."""
        of_each = self.compare(lambda y: least([step(y) - step(y, block) for block in range(1, len(y) - 1)]))
        return Measured({"": of_each}, list(self.trained))

    def of_the_range(self) -> Measured:
        """The last step as a share of the course's range from block 1 on; the control's, of the same range."""
        ranges = {name: range_of(course) for name, course in self.trained.items()}
        each = {name: ratio(step(course), ranges[name]) for name, course in self.trained.items()}
        control = {name: ratio(step(self.random), of_range) for name, of_range in ranges.items()}
        return Measured.one(each, control, gate=[found.estimate() for found in ranges.values()])


def step(course: Course, block: int = -1) -> Resampled:
    """What a block adds to what the block before it has."""
    return course[block] - course[block - 1]


def range_of(course: Course) -> Resampled:
    """The highest less the lowest value from block 1 on."""
    return combined(lambda *values: np.max(values, axis=0) - np.min(values, axis=0), *course[1:])


def analyse(table: pd.DataFrame) -> Analysis:
    trained, random = vits_and_control(table)
    courses = {measure: Courses(trained, random, measure) for measure in TOWARDS_GLOBAL}
    statements = {STATEMENTS[measure]: found.steps() for measure, found in courses.items()}
    statements["half_of_the_range"] = courses["uniformity"].of_the_range()
    grouped = table[table["measure"].isin(TOWARDS_GLOBAL)].groupby(["model", "measure", "block"], sort=False)["value"]
    summary = grouped.agg(mean="mean", n="count").reset_index()
    figures = {"local_until_last": bars(courses["uniformity"], pooled(table))}
    return Analysis(statements, summary, figures, by_image(trained))


def by_image(trained: dict[str, pd.DataFrame]) -> pd.Series:
    """The last block's step in uniformity less the mean step of the inner ones, mean over models."""
    found = []
    for mine in trained.values():
        rows = mine[mine["measure"] == "uniformity"].pivot(index="block", columns="image", values="value")
        steps = rows.diff().iloc[1:]
        found.append(steps.iloc[-1] - steps.iloc[:-1].mean())
    return pd.concat(found, axis=1).mean(axis=1)


def bars(courses: Courses, table: pd.DataFrame) -> Figure:
    """A panel for the ViTs that decide (mean over training seeds) and one for random weights: each block's step in
    uniformity, the last one in colour."""
    names = dict(zip(table["model"], table["model"], strict=True))
    trained = [np.mean([[one.value for one in course] for course in courses.trained.values()], axis=0)]
    shown = {"trained": trained[0], "random weights": np.array([one.value for one in courses.random])}
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, (title, course) in zip(axes, shown.items(), strict=True):
        steps = np.diff(course)
        colours = ["0.65"] * (len(steps) - 1) + [COLOURS[0]]
        axis.bar(range(1, len(course)), steps, color=colours)
        label = (
            ", ".join(name for name in dict.fromkeys(names) if name in courses.trained) if title == "trained" else ""
        )
        axis.set(title=f"{title} {f'({label})' if label else ''}", xlabel="block")
        axis.axhline(0, color="black", linewidth=0.8)
    axes[0].set_ylabel("step in the uniformity of maps")
    figure.suptitle("How much more uniform each block makes its maps (the last one in colour)")
    return figure
