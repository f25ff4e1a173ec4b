"""Table 1 and Fig. 5: accuracy with CLS kept apart until the last block, and with the classifier on each patch."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.figures.paper.networks import OURS, PAPER, by_architecture, percent, printed, trained
from vitexplore.figures.paper.numbers import dots, legend_above, titled
from vitexplore.figures.paper.tiles import Missing
from vitexplore.figures.style import COLUMN, PAGE
from vitexplore.graph import Graph
from vitexplore.measures.accuracy import hits
from vitexplore.statistics.intervals import Resampled, mean_of, resampled_mean
from vitexplore.statistics.splits import halves

MEASURES = {
    "natural": "whole network",
    "isolating_cls": "CLS meets patches\nin the last block only",
    "patch_average": "classifier on a patch,\nmean of positions",
    "patch_maximum": "classifier on a patch,\nbest position",
}
PAPERS = "vit_base_patch16_384"  # of Table 1
PANELS = 3  # models in Fig. 5


def table_data(graph: Graph) -> pd.DataFrame:
    """Table 1. Rows: source (measured or paper), model, measure, value (top-1, percent; mean over training seeds), low
    and high (95%, images resampled), images, chance."""
    rows = with_cls(graph)
    found = []
    for name, each in by_architecture(rows).items():
        known = {"source": OURS, "model": name, "chance": 100 / each[0]["classes"].iloc[0]}
        for measure in MEASURES:
            statistic = mean_of([accuracy(mine, measure) for mine in each])
            found.append({**known, "measure": measure, **percent(statistic), "images": statistic.estimate().n})
    return pd.concat([pd.DataFrame(found), _of_paper(graph)], ignore_index=True)


def _of_paper(graph: Graph) -> pd.DataFrame:
    table = printed(graph, "head_on_patches")
    table = table[(table["model"] == PAPERS) & table["measure"].isin(MEASURES)]
    return table.assign(source=PAPER, value=table["top1"])[["source", "model", "measure", "value"]]


def with_cls(graph: Graph) -> pd.DataFrame:
    """The rows of trained ViTs with a CLS token. Raises Missing where there is none."""
    rows = trained(graph, "token_mixing")
    has = rows.groupby("model")["surgery"].transform(lambda surgeries: "isolated_cls" in set(surgeries))
    mine = rows[has & rows["family"].eq("vit")]
    if mine.empty:
        raise Missing("this scale has no classifier with a CLS token")
    return mine


def accuracy(mine: pd.DataFrame, measure: str) -> Resampled:
    """One model's top-1. The best position is chosen on one half of the images and scored on the other."""
    if measure == "natural":
        return resampled_mean(hits(mine, "natural")[0])
    if measure == "isolating_cls":
        return resampled_mean(hits(mine, "isolated_cls")[-2])  # the last one: CLS never joins
    on_patches = hits(mine, "head_on_patch")
    if measure == "patch_average":
        return resampled_mean(on_patches.mean(0))
    chosen_on, scored_on = halves(on_patches.shape[1])
    return resampled_mean(on_patches[on_patches[:, chosen_on].mean(1).argmax(), scored_on])


def table_draw(table: pd.DataFrame) -> Figure:
    title = "What CLS needs and what each patch knows"
    note = "Bars: 95% intervals over images. Dashed: chance here."
    figure, axis = titled(COLUMN, 2.6, title, note)
    dots(axis, table, "measure", MEASURES, {PAPERS: "paper: ViT-B/16"})
    legend_above(axis, 2)
    axis.axvline(table["chance"].dropna().iloc[0], color="black", linestyle="--", linewidth=0.7)
    axis.set(xlim=(0, 119), xticks=range(0, 101, 20), xlabel="top-1 accuracy, %")
    return figure


def heat_data(graph: Graph) -> pd.DataFrame:
    """Fig. 5. Rows: model, row, column, top1 (percent, of the classifier on that position's patch), natural (percent,
    of the whole network), paper (what the paper prints of its ViT, mean over positions)."""
    theirs = _of_paper(graph).set_index("measure").loc["patch_average", "value"]
    frames = []
    for each in list(by_architecture(with_cls(graph)).values())[:PANELS]:
        mine = each[0]
        height, width = int(mine["grid_height"].iloc[0]), int(mine["grid_width"].iloc[0])
        rows, columns = np.divmod(np.arange(height * width), width)
        top1 = 100 * hits(mine, "head_on_patch").mean(1)
        natural = 100 * hits(mine, "natural")[0].mean()
        place = {"model": mine["model"].iloc[0], "row": rows, "column": columns}
        frames.append(pd.DataFrame({**place, "top1": top1, "natural": natural, "paper": theirs}))
    return pd.concat(frames, ignore_index=True)


def heat_draw(table: pd.DataFrame) -> Figure:
    models = list(table["model"].unique())
    title = "How well the classifier reads each patch alone"
    theirs = f"The paper's ViT-B/16 on ImageNet: {table['paper'].iloc[0]:.0f}% on average."
    note = f"Top-1 accuracy by the patch's position, after the last block. {theirs}"
    figure, _ = titled(COLUMN if len(models) == 1 else PAGE, 3.0, title, note, panels=len(models))
    for axis, model in zip(figure.axes, models, strict=True):
        mine = table[table["model"] == model]
        values = mine.pivot(index="row", columns="column", values="top1")
        picture = axis.imshow(values, cmap="cividis", vmin=0, vmax=table["top1"].max(), interpolation="none")
        axis.set(
            xticks=[],
            yticks=[],
            xlabel=f"{model}: {values.to_numpy().mean():.0f}% on average, {mine['natural'].iloc[0]:.0f}% with CLS",
        )
        axis.grid(visible=False)
    figure.colorbar(picture, ax=figure.axes, label="top-1 accuracy, %", shrink=0.9)
    return figure
