"""Table 1, "Isolating CLS": accuracy with CLS joined to the patches before block k, for every k."""

import numpy as np
import pandas as pd

from vitexplore import plots
from vitexplore.claims import Analysis, Measured, NotTested
from vitexplore.stats import Estimate, bootstrap


def hits_by_k(mine: pd.DataFrame) -> np.ndarray:
    """bool [blocks + 1, images]: top-1 hits with CLS joined before block k."""
    isolated = mine[mine["surgery"] == "isolated_cls"]
    return (isolated.pivot(index="at", columns="image", values="rank") < 1).to_numpy()


def share(hits: np.ndarray, k: int, chance: float) -> Estimate:
    """Of the natural accuracy above chance, what is there with CLS joined before block ``k``."""
    return bootstrap(
        lambda images: float((hits[k, images].mean() - chance) / (hits[0, images].mean() - chance)),
        {"images": hits.shape[1]},
    )


def analyse(table: pd.DataFrame) -> Analysis:
    table = table[~table["random_weights"]]
    chance = 1 / int(table["classes"].iloc[0])
    vits = [hits_by_k(mine) for _, mine in table[table["family"] == "vit"].groupby("model")]
    if not vits:
        raise NotTested("no ViT classifier with a CLS token at this scale")
    depth = len(vits[0]) - 1
    control = share(vits[0], depth, chance)
    statements = {
        "last_block": Measured([share(hits, depth - 1, chance) for hits in vits], control),
        "half_way": Measured([share(hits, depth // 2, chance) for hits in vits], control),
    }
    isolated = table[table["surgery"] == "isolated_cls"].assign(top1=lambda t: 100.0 * (t["rank"] < 1))
    figure = plots.lines(
        isolated, "at", "top1", "model", "Isolating CLS", ("block before which CLS joins the patches", "top-1, percent")
    )
    rows = isolated.assign(top5=100.0 * (isolated["rank"] < 5)).groupby(["model", "at"], sort=False)
    summary = rows.agg(top1=("top1", "mean"), top5=("top5", "mean"), n=("image", "size")).reset_index()
    return Analysis(statements, summary.rename(columns={"at": "joined_before_block"}), {"isolated_cls": figure})
