"""Table 1, "Isolating CLS": accuracy with CLS joined to the patches before block k, for every k; and the released
code's CLS-only curve: accuracy with the patches dropped before block k."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, NotTested, of_each, pooled
from vitexplore.claims.paper import beside_paper
from vitexplore.figures import plots
from vitexplore.stats import Estimate, bootstrap

HERE = Path(__file__).parent
CURVES = {"isolated_cls": "CLS joins before block k", "cls_only": "patches dropped before block k"}
TOLERANCE = 0.5  # points: rounding and decoding of JPEGs, on 50,000 images whose own standard error is 0.16


def hits_by_k(mine: pd.DataFrame) -> np.ndarray:
    """bool [blocks + 1, images]: top-1 hits with CLS joined before block k."""
    isolated = mine[mine["surgery"] == "isolated_cls"]
    return (isolated.pivot(index="at", columns="image", values="rank") < 1).to_numpy()


def share(mine: pd.DataFrame, at: Callable[[int], int], chance: float) -> Estimate:
    """Of the natural accuracy above chance, what is there with CLS joined before block ``at(number of blocks)``."""
    hits = hits_by_k(mine)
    k = at(len(hits) - 1)
    return bootstrap(
        lambda images: float((hits[k, images].mean() - chance) / (hits[0, images].mean() - chance)),
        {"images": hits.shape[1]},
    )


def analyse(table: pd.DataFrame) -> Analysis:
    table = table[~table["random_weights"] & table["surgery"].isin(CURVES)]
    chance = 1 / int(table["classes"].iloc[0])
    vits = [mine for _, mine in table[table["family"] == "vit"].groupby("model")]
    if not vits:
        raise NotTested("no ViT classifier with a CLS token at this scale")
    control = share(vits[0], lambda depth: depth, chance)
    statements = {
        "last_block": Measured(of_each(vits, lambda mine: share(mine, lambda depth: depth - 1, chance)), control),
        "half_way": Measured(of_each(vits, lambda mine: share(mine, lambda depth: depth // 2, chance)), control),
    }
    return Analysis(statements, summary(table), {"isolated_cls": figure(pooled(table))})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """model, architecture, surgery, before_block, top1 and top5 in percent, n, and the released code's numbers."""
    rows = table.assign(top1=100.0 * (table["rank"] < 1), top5=100.0 * (table["rank"] < 5))
    grouped = rows.groupby(["model", "architecture", "surgery", "at"], sort=False)
    means = grouped.agg(top1=("top1", "mean"), top5=("top5", "mean"), n=("image", "size")).reset_index()
    values = {"top1": "top1", "top5": "top5"}
    printed = (("isolated_cls", "isolating_cls.csv", "cls_inserted_before_block"),
               ("cls_only", "cls_only.csv", "patches_dropped_before_block"))  # fmt: skip
    frames = []
    for surgery, file, column in printed:
        mine = means[means["surgery"] == surgery].rename(columns={"at": column})
        found = beside_paper(mine, HERE / file, [column], values, TOLERANCE)
        frames.append(found.rename(columns={column: "before_block"}))
    return pd.concat(frames, ignore_index=True)


def figure(table: pd.DataFrame) -> Figure:
    """Both curves of every model, training seeds together."""
    shown = table.assign(top1=100.0 * (table["rank"] < 1), curve=table["surgery"].map(CURVES))
    labels = ("k", "top-1, percent")
    found = plots.lines(shown, "at", "top1", "model", "CLS without the patches", labels, style="curve")
    found.set_figwidth(9.5)
    return found
