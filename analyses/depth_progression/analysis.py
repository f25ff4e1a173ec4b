"""Figs. 1 and 6: which factor of the images explains features, block by block."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import (
    Analysis,
    Comparison,
    Measured,
    NotTested,
    by_model,
    deciding,
    pooled,
    vits_and_control,
)
from vitexplore.figures import plots
from vitexplore.statistics.intervals import Estimate, Jackknifed
from vitexplore.statistics.splits import groups

SIMPLE = ("hue", "orientation")
FACTORS = ("class", *SIMPLE)
LEVELS = np.linspace(0.25, 0.75, 51)  # of the highest value of a course
NONE = "none"
STEPS = {"first to middle third": 0, "middle to last third": 1}


class Courses:
    """Of one model's features the mean information about each factor, by block: float [blocks]; and with groups of
    images, and groups of features, left out in turn: float [groups, blocks]."""

    def __init__(self, mine: pd.DataFrame) -> None:
        self.name, self.images = str(mine["model"].iloc[0]), int(mine["images"].iloc[0])
        block, self.features = mine["block"].to_numpy(), len(mine)
        if block.max() < 2:
            raise NotTested(f"needs models of three blocks at least; {self.name} has {block.max() + 1}")
        parts = groups(len(mine))
        self.value: dict[str, np.ndarray] = {}
        self.without: dict[str, dict[str, np.ndarray]] = {}
        for factor in FACTORS:
            bits = mine[f"information_{factor}"].to_numpy()
            without = np.stack(mine[f"{factor}_without"].to_list(), axis=1)
            self.value[factor] = _by_block(block, bits)
            self.without[factor] = {
                "images": np.stack([_by_block(block, each) for each in without]),
                f"{self.name}'s features": np.stack([_by_block(*np.delete([block, bits], p, axis=1)) for p in parts]),
            }

    def of(self, function: Callable[..., float], *factors: str) -> Jackknifed:
        """``function`` of the courses of ``factors``."""
        without = {
            what: np.array([function(*each) for each in zip(*(self.without[f][what] for f in factors), strict=True)])
            for what in self.without[factors[0]]
        }
        value = function(*(self.value[factor] for factor in factors))
        return Jackknifed(float(value), without, f"{self.images} images, {self.features} features")

    def most(self, factor: str) -> Estimate:
        """Bits about ``factor`` of the block that tells most, mean over its features."""
        best = int(self.value[factor].argmax())
        return self.of(lambda course: course[best], factor).estimate()


def _by_block(block: np.ndarray, bits: np.ndarray) -> np.ndarray:
    return np.bincount(block.astype(int), bits) / np.bincount(block.astype(int))


def thirds(course: np.ndarray) -> np.ndarray:
    """Its mean over the first, the middle and the last third of the blocks."""
    return np.array([course[part].mean() for part in np.array_split(np.arange(len(course)), 3)])


def depth_of_rise(course: np.ndarray) -> float:
    """How deep, 0 (first block) to 1 (last), a course first reaches a quarter to three quarters of its highest value,
    mean over these levels; between blocks by a straight line."""
    highest_yet = np.maximum.accumulate(course) / course.max()
    return float(np.interp(LEVELS, highest_yet, np.linspace(0, 1, len(course))).mean())


def rises(courses: dict[str, Courses], control: Courses) -> dict[str, Comparison]:
    """From third to third of the blocks, of the highest third's information on the class; the control's, of the
    model's own highest third's."""
    highest = {name: thirds(each.value["class"]).max() for name, each in courses.items()}

    def step(course: np.ndarray, place: int, over: float | None = None) -> float:
        found = thirds(course)
        return (found[place + 1] - found[place]) / (found.max() if over is None else over)

    return {
        what: Comparison(
            {name: each.of(lambda course, place=place: step(course, place), "class") for name, each in courses.items()},
            {
                name: control.of(lambda course, place=place, over=over: step(course, place, over), "class")
                for name, over in highest.items()
            },
        )
        for what, place in STEPS.items()
    }


def later(courses: dict[str, Courses], control: Courses) -> dict[str, Comparison]:
    """How much deeper the information on the class rises than that on each simple thing."""

    def apart(simple: np.ndarray, of_class: np.ndarray) -> float:
        return depth_of_rise(of_class) - depth_of_rise(simple)

    return {
        factor: Comparison(
            {name: each.of(apart, factor, "class") for name, each in courses.items()},
            control.of(apart, factor, "class"),
        )
        for factor in SIMPLE
    }


def images_a_class(mine: pd.DataFrame) -> Estimate:
    """Counted, so that its interval is the number itself."""
    count = float(mine["images_a_class"].iloc[0])
    return Estimate(count, count, count, f"{mine['images'].iloc[0]} images")


def analyse(table: pd.DataFrame) -> Analysis:
    vits, random = vits_and_control(table)
    courses, control = {name: Courses(mine) for name, mine in vits.items()}, Courses(random)
    told = {f: [each.most(of) for each in courses.values() for of in ("class", f)] for f in SIMPLE}
    enough = [images_a_class(mine) for mine in vits.values()]
    statements = {
        "class_rises": Measured(rises(courses, control), list(vits), enough, every=True),
        **{
            f"{factor}_first": Measured({"": comparison}, list(vits), told[factor])
            for factor, comparison in later(courses, control).items()
        },
        "class_rises_cnn": Measured.not_testable("no CNN at this scale"),
    }
    if "cnn" in set(deciding(table)["family"]):
        cnns = by_model(deciding(table), "cnn")
        mine = {name: Courses(each) for name, each in cnns.items()}
        enough = [images_a_class(each) for each in cnns.values()]
        exchanged = Courses(_with_blocks_exchanged(next(iter(cnns.values()))))
        statements["class_rises_cnn"] = Measured(rises(mine, exchanged), list(cnns), enough, every=True)
    figures = {"depth_progression": shares(table), "depth_information": information(pooled(table), list(vits))}
    return Analysis(statements, summary(table), figures)


def _with_blocks_exchanged(mine: pd.DataFrame) -> pd.DataFrame:
    return mine.assign(block=np.random.default_rng(0).permutation(mine["block"]))


def explained(table: pd.DataFrame) -> pd.Series:
    return table["explained_by"].replace("", NONE)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each model and block: mean bits about each factor, and the share of features that each explains
    best."""
    bits = [column for column in table if column.startswith("information_")]
    purities = [column for column in table if column.startswith("purity_")]
    rows = table.groupby(["model", "block"], sort=False)[[*bits, *purities]].mean()
    best = pd.crosstab([table["model"], table["block"]], explained(table), normalize="index").add_prefix(
        "explained_by_"
    )
    return rows.join(best).reset_index()


def shares(table: pd.DataFrame) -> Figure:
    """A panel a model, the first training seed of each: the share of each block's features that a factor explains."""
    first = table[table["model"] == pooled(table)["model"]]
    models = list(dict.fromkeys(first["model"]))
    named = first.assign(factor=explained(first))
    found = pd.crosstab([named["model"], named["block"]], named["factor"], normalize="index")
    order = [factor for factor in found.mean().sort_values(ascending=False).index if factor != NONE]
    figure = Figure(figsize=(2.6 * len(models) + 1.6, 3.8), layout="constrained")
    axes = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
    for axis, model in zip(axes, models, strict=True):
        mine = found.loc[model].reindex(columns=[*order, NONE], fill_value=0.0)
        mine.plot.bar(stacked=True, width=0.9, ax=axis, legend=False, colormap="tab20", rot=0)
        axis.set(title=model, xlabel="block", ylabel="share of features", ylim=(0, 1))
        axis.grid(visible=False)
    axes[-1].legend(title="told most of", loc="center left", bbox_to_anchor=(1, 0.5), reverse=True)
    figure.suptitle("What features tell of, block by block")
    return figure


def information(table: pd.DataFrame, models: list[str]) -> Figure:
    """Of the ViTs that decide, mean bits about each factor over the highest block's, by depth."""
    mine = table[table["model"].isin(models)]
    long = mine.melt(["model", "block"], [f"information_{factor}" for factor in FACTORS], "factor", "told")
    long["factor"] = long["factor"].str.removeprefix("information_")
    means = long.groupby(["factor", "block"], sort=False)["told"].mean()
    shown = (means / means.groupby("factor").transform("max")).reset_index()
    figure = plots.lines(
        shown, "block", "told", "factor", "How much features tell of the class, and of simple things",
        ("block", "bits, of the highest block's"),
    )  # fmt: skip
    figure.axes[0].axhspan(LEVELS[0], LEVELS[-1], color="0.9")  # where a course's depth is read
    figure.axes[0].set_ylim(bottom=0)
    return figure
