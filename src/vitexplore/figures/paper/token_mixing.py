"""Table 1 and Fig. 5: accuracy with CLS kept apart until the last block, and with the classifier on each patch."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.figures.paper.networks import OURS, PAPER, in_percent, of_claim, printed, together
from vitexplore.figures.paper.numbers import dots, legend_above, titled
from vitexplore.figures.style import COLUMN, PAGE
from vitexplore.graph import Graph

MEASURES = {
    "natural": "whole network",
    "isolating_cls": "CLS meets patches\nin the last block only",
    "patch_average": "classifier on a patch,\nmean of positions",
    "best_position": "classifier on a patch,\nbest position",
}
PRINTED = {"best_position": "patch_maximum"}  # by the measures of the paper
PAPERS = "vit_base_patch16_384"  # of Table 1
PANELS = 3  # models in Fig. 5


def table_data(graph: Graph) -> pd.DataFrame:
    """Table 1. Rows: source (measured or paper), model, measure, value (top-1, percent; mean over training seeds), low
    and high (95%, images resampled), images, chance."""
    isolated, heads = with_cls(graph)
    last = isolated.groupby("model")["before_block"].transform("max") - 1  # at the last one CLS never joins
    isolated = isolated[isolated["before_block"] == last].assign(measure="isolating_cls")
    heads = heads[heads["measure"].isin(MEASURES)]
    found = []
    for model, mine in pd.concat([heads, isolated]).groupby("model", sort=False):
        known = {"source": OURS, "model": model, "chance": 100 / heads["classes"].iloc[0]}
        rows = {row.measure: row for row in mine.itertuples()}
        for measure in MEASURES:
            row = known | {"measure": measure, "images": f"{rows[measure].n} images"}
            found.append(row | in_percent(rows[measure], "top1"))
    return pd.concat([pd.DataFrame(found), _of_paper(graph)], ignore_index=True)


def with_cls(graph: Graph) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of trained models with a CLS token, training seeds together: what isolated_cls and head_on_patches found."""
    isolated, heads = of_claim(graph, "isolated_cls"), of_claim(graph, "head_on_patches")
    isolated = together(isolated[isolated["surgery"] == "isolated_cls"])
    return isolated, heads[heads["model"].isin(set(isolated["model"]))]


def _of_paper(graph: Graph) -> pd.DataFrame:
    table = printed(graph, "head_on_patches")
    table = table[table["model"] == PAPERS].set_index("measure")
    values = {measure: table.loc[PRINTED.get(measure, measure), "top1"] for measure in MEASURES}
    return pd.DataFrame({"source": PAPER, "model": PAPERS, "measure": values.keys(), "value": values.values()})


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
    _, table = with_cls(graph)
    natural = table[table["measure"] == "natural"].set_index("model")["top1"]
    frames = []
    for model, mine in list(table[table["measure"] == "position"].groupby("model", sort=False))[:PANELS]:
        rows, columns = np.divmod(mine["at"].to_numpy(dtype=int), int(mine["grid_width"].iloc[0]))
        values = {"row": rows, "column": columns, "top1": mine["top1"], "natural": natural[model], "paper": theirs}
        frames.append(pd.DataFrame({"model": model, **values}))
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
