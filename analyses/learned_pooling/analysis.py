"""Section 4 and appendix F: is pooling what the last block's attention is for?"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, NotTested, vits_and_control
from vitexplore.figures.style import COLOURS
from vitexplore.statistics.intervals import Resampled, combined, least, ratio, resampled_means

SILENT = 1e-3  # of the stream's energy: less than this is no write


class Blocks:
    """Of one model each measure of a block and image: float [blocks, images]."""

    def __init__(self, mine: pd.DataFrame) -> None:
        self.found = {
            measure: rows.pivot(index="block", columns="image", values="value").to_numpy()
            for measure, rows in mine.groupby("measure")
        }
        self.images = np.sort(mine["image"].unique())

    @property
    def answers(self) -> bool:
        """Whether the model tells the images' classes."""
        return "natural" in self.found

    def of_each(self, function: Callable[..., np.ndarray], *measures: str) -> list[Resampled]:
        """By block, ``function`` of the means over images of ``measures``."""
        means = zip(*(resampled_means(self.found[measure]) for measure in measures), strict=True)
        return [combined(function, *block) for block in means]

    def natural(self, chance: float) -> Resampled:
        """Top-1 accuracy above chance."""
        return resampled_means(self.found["natural"] - chance)[0]

    def pooled(self, chance: float) -> list[Resampled]:
        """By block, the accuracy that is kept with the plain mean in the place of attention, less that which is kept
        with each token for itself; as a share of the natural one above chance."""
        apart = resampled_means(self.found["uniform"] - self.found["unmixed"])
        return [ratio(each, self.natural(chance)) for each in apart]


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
    trained, random = vits_and_control(table)
    if random["block"].max() < 2:
        raise NotTested("needs ViTs of three blocks at least")
    blocks = {name: Blocks(mine) for name, mine in (trained | {"": random}).items()}
    statements = {name: last_minus_inner(blocks, statistic) for name, statistic in STATISTICS.items()}
    chance = 1 / int(table["classes"].iloc[0])
    answering = {name: mine for name, mine in blocks.items() if name and mine.answers}
    statements["pooled_answer"] = pools(answering, chance)
    figures = {"learned_pooling": bars(answering)} if answering else {}
    return Analysis(statements, summary(table), figures, by_image(answering) if answering else None)


def by_image(blocks: dict[str, Blocks]) -> pd.Series:
    """Whether the answer stays right with the plain mean in the last block, less whether it does with each token for
    itself; less the same of the inner blocks, in the mean; mean over models."""
    apart = np.mean([mine.found["uniform"] - mine.found["unmixed"] for mine in blocks.values()], axis=0)
    return pd.Series(apart[-1] - apart[1:-1].mean(0), next(iter(blocks.values())).images)


def pools(blocks: dict[str, Blocks], chance: float) -> Measured:
    """What pooling keeps of the answer in the last block, or less that in an inner one but the first, whichever is
    least."""
    if not blocks:
        return Measured.not_testable("no ViT here tells the images' classes")
    courses = {name: mine.pooled(chance) for name, mine in blocks.items()}
    gate = [mine.natural(chance).estimate() for mine in blocks.values()]
    return Measured.one({name: least([y[-1], *over_inner(y)]) for name, y in courses.items()}, None, gate=gate)


def last_minus_inner(blocks: dict[str, Blocks], statistic: Callable[[Blocks], list[Resampled]]) -> Measured:
    """The last block's less the highest of an inner one but the first; the control is the network with random weights,
    named ""."""
    found = {name: least(over_inner(statistic(mine))) for name, mine in blocks.items()}
    random = found.pop("")
    return Measured.one(found, random)


def over_inner(course: list[Resampled]) -> list[Resampled]:
    """The last block's minus each inner one's but the first."""
    return [course[-1] - course[block] for block in range(1, len(course) - 1)]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """model, block, top1 in percent with the plain mean in the place of attention (``uniform``) and with each token for
    itself (``unmixed``), empty for a model that does not tell the classes; query, entropy, r2, common (of the patches),
    n."""
    frames = []
    for model, mine in table.groupby("model", sort=False):
        means = mine.pivot_table(index="block", columns="measure", values="value", sort=False)
        shared = common(*(means[name] for name in ("write_common", "write", "stream", "positions")))
        for query in ("cls", "patches"):
            rows = pd.DataFrame({"model": model, "block": means.index, "query": query})
            for rewired in ("uniform", "unmixed"):
                rows[rewired] = 100 * means[rewired].to_numpy() if rewired in means else np.nan
            rows["entropy"] = means[f"entropy_{query}"].to_numpy()
            rows["r2"] = r2(means[f"residual_{query}"].to_numpy(), means[f"total_{query}"].to_numpy())
            rows["common"] = shared if query == "patches" else np.nan
            frames.append(rows.assign(n=mine["image"].nunique()))
    return pd.concat(frames, ignore_index=True)


def bars(blocks: dict[str, Blocks]) -> Figure:
    """A panel a ViT: by block the accuracy with the plain mean in the place of attention, and with each token for
    itself; the last block in colour."""
    figure = Figure(figsize=(3.4 * len(blocks) + 0.8, 3.4), layout="constrained")
    for axis, (name, mine) in zip(
        figure.subplots(1, len(blocks), sharey=True, squeeze=False)[0], blocks.items(), strict=True
    ):
        uniform, unmixed = (100 * mine.found[measure].mean(1) for measure in ("uniform", "unmixed"))
        natural, places = 100 * np.nanmean(mine.found["natural"]), np.arange(len(uniform))
        axis.vlines(places, unmixed, uniform, color=["0.6"] * (len(places) - 1) + [COLOURS[0]], linewidth=4)
        axis.plot(places, uniform, "o", color="black", label="every token takes the mean of all")
        axis.plot(places, unmixed, "o", color="black", markerfacecolor="white", label="every token for itself")
        axis.axhline(natural, color="black", linestyle="--", linewidth=0.8)
        axis.set(title=name, xlabel="block that is rewired", ylim=(0, 100), xticks=places)
    figure.axes[0].set_ylabel("top-1, percent (dashed: as it is)")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle("Is pooling what a block's attention is for? Long bars upward to the filled dot say yes")
    return figure
