"""Table 2: accuracy on foregrounds and on backgrounds alone, over that on whole images."""

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.data.masks import FILLS
from vitexplore.figures.paper.networks import OURS, PAPER, in_percent, of_claim, printed, together
from vitexplore.figures.paper.numbers import titled, without_vit
from vitexplore.figures.style import NAMES, OF_FAMILY, PAGE
from vitexplore.graph import Graph
from vitexplore.models.spec import FAMILIES

CONDITIONS = ("foreground", "background")


def data(graph: Graph) -> pd.DataFrame:
    """Rows: source (measured or paper), family, model, condition, k, value (percent of the whole images' top-k
    accuracy; measured: both above chance, mean over training seeds), low and high (95%, images resampled), images."""
    table = together(of_claim(graph, "background"))
    rows = table[(table["size"] == "own") & table["fill"].eq(FILLS[0]) & table["along"].ne("pixels")]
    found = [
        {"source": OURS, "family": row.family, "model": row.model, "k": row.k, "condition": row.condition}
        | in_percent(row, "retained", 100)
        | {"images": f"{row.images} images"}
        for row in rows[rows["condition"].isin(CONDITIONS)].itertuples()
    ]
    return pd.concat([pd.DataFrame(found), _of_paper(graph)], ignore_index=True)


def _of_paper(graph: Graph) -> pd.DataFrame:
    table = printed(graph, "background")
    family = table["model"].str.startswith("vit").map({True: "vit", False: "cnn"})
    rows = [
        pd.DataFrame({"source": PAPER, "family": family, "model": table["paper_name"], "k": 5, "condition": condition,
                      "value": table[f"norm_{condition}_top5"]})
        for condition in CONDITIONS
    ]  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def draw(table: pd.DataFrame) -> Figure:
    """A line a model, ours above the paper's, ViTs before CNNs; a panel a condition."""
    order = table.assign(family=pd.Categorical(table["family"], FAMILIES))
    models = order.sort_values(["source", "family"], kind="stable")["model"].drop_duplicates().to_list()
    k = int(table.loc[table["source"] == OURS, "k"].iloc[0])
    title = "What is left of accuracy on foregrounds and on backgrounds alone"
    note = (
        f"Filled: measured here, top-{k} above chance, with 95% intervals over images. Hollow: Table 2 of the paper, "
        f"top-5 on ImageNet as printed. The rest of the image is black.{without_vit(table[table['source'] == OURS])}"
    )
    figure, first = titled(PAGE, 0.55 + 0.15 * len(models), title, note, panels=2)
    most = max(100, table[["value", "high"]].max().max()) + 2
    least = min(0, table[["value", "low"]].min().min()) - 2
    for axis, condition in zip(figure.axes, CONDITIONS, strict=True):
        mine = table[table["condition"] == condition].set_index("model")
        for line, model in enumerate(models):
            row = mine.loc[model]
            colour, marker = OF_FAMILY[row["family"]]
            errors = [[row["value"] - row["low"]], [row["high"] - row["value"]]] if row["source"] == OURS else None
            axis.errorbar(
                row["value"], line, xerr=errors, fmt=marker, color=colour, elinewidth=1,
                markerfacecolor=colour if row["source"] == OURS else "none",
            )  # fmt: skip
        axis.set(xlabel=f"{condition} alone, % of the whole images' accuracy")
        axis.set(xlim=(least, most), ylim=(len(models) - 0.5, -0.5))
        axis.axhline(table[table["source"] == OURS]["model"].nunique() - 0.5, color="black", linewidth=0.7)
    first.set_yticks(range(len(models)), [_named(table, model) for model in models])
    return figure


def _named(table: pd.DataFrame, model: str) -> str:
    row = table[table["model"] == model].iloc[0]
    return f"paper: {model}" if row["source"] == PAPER else f"{NAMES[row['family']]}: {model}"
