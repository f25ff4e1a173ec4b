"""Table 2: accuracy on foregrounds and backgrounds alone over that on full images, ViTs against CNNs."""

import numpy as np
import pandas as pd

from vitexplore import plots
from vitexplore.claims import Analysis, Measured, NotTested
from vitexplore.experiments.background import accuracy_table
from vitexplore.stats import Estimate, bootstrap


def top_k(classes: int) -> int:
    """The paper's top-5 is 5 of 1,000; among few classes top-2 is the nearest that still asks something."""
    return 5 if classes >= 100 else 2


def hits(table: pd.DataFrame, family: str) -> dict[str, np.ndarray]:
    """For each condition: bool [models, images] of top-k hits, over one and the same list of images."""
    mine = table[table["family"] == family]
    k = top_k(int(table["classes"].iloc[0]))
    return {
        condition: (rows.pivot(index="model", columns="image", values="rank") < k).to_numpy()
        for condition, rows in mine.groupby("condition")
    }


def retained(found: dict[str, np.ndarray], condition: str, images: np.ndarray, chance: float) -> float:
    """Mean over models of the condition's accuracy over the full images', both above chance."""
    kept = found[condition][:, images].mean(1) - chance
    return float(np.mean(kept / (found["full"][:, images].mean(1) - chance)))


def difference(vit: dict[str, np.ndarray], cnn: dict[str, np.ndarray], condition: str, chance: float) -> Estimate:
    return bootstrap(
        lambda images: retained(vit, condition, images, chance) - retained(cnn, condition, images, chance),
        {"images": vit["full"].shape[1]},
    )


def analyse(table: pd.DataFrame) -> Analysis:
    table = table[~table["random_weights"]]
    vit, cnn = hits(table, "vit"), hits(table, "cnn")
    if not vit or not cnn:
        raise NotTested(f"no {'CNN' if vit else 'ViT classifier'} at this scale to compare with")
    classes = int(table["classes"].iloc[0])
    k = top_k(classes)
    chance = k / classes
    control = difference(vit, cnn, "mean_image", chance)
    statements = {
        "background_alone": Measured([difference(vit, cnn, "background", chance)], control),
        "foreground_alone": Measured([difference(vit, cnn, "foreground", chance)], control),
    }
    rows = summary(table, k, chance)
    shown = rows[rows["condition"] != "full"]
    figure = plots.bars(
        shown, "condition", "retained", "model", "Accuracy kept without the rest of the image",
        ("what is left of the image", f"top-{k} accuracy above chance, over the full image's"),
    )  # fmt: skip
    return Analysis(statements, rows, {"background": figure})


def summary(table: pd.DataFrame, k: int, chance: float) -> pd.DataFrame:
    """model, condition, top1, top2, top5 in percent, n, and retained: top-k above chance over the full image's."""
    frames = []
    for model, mine in table.groupby("model", sort=False):
        accuracies = accuracy_table(mine)
        accuracies.insert(0, "model", model)
        above = accuracies[f"top{k}"] / 100 - chance
        frames.append(accuracies.assign(retained=above / above[accuracies["condition"] == "full"].item()))
    return pd.concat(frames, ignore_index=True)
