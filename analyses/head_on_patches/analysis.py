"""Table 1, "Patch Average" and "Patch Maximum", and Fig. 5: the classifier on each patch token."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, of_each, vits_and_control
from vitexplore.claims.paper import beside_paper
from vitexplore.stats import Estimate, bootstrap, halves

REFERENCE = Path(__file__).parent / "reference.csv"
TOKEN = 120  # that the released code reads; CLS is token 0
TOLERANCE = 0.5  # points: rounding and decoding of JPEGs, on 50,000 images whose own standard error is 0.16


def hits(mine: pd.DataFrame, surgery: str) -> np.ndarray:
    """bool [at, images]."""
    rows = mine[mine["surgery"] == surgery]
    return (rows.pivot(index="at", columns="image", values="rank") < 1).to_numpy()


def mean_position(each: np.ndarray, natural: np.ndarray, chance: float) -> Estimate:
    """The head's accuracy above chance over all positions, as a share of ``natural`` accuracy above chance."""
    return bootstrap(
        lambda images: float((each[:, images].mean() - chance) / (natural[images].mean() - chance)),
        {"images": len(natural)},
    )


def best_position(each: np.ndarray, natural: np.ndarray, chance: float) -> Estimate:
    """The same at the position that is best on one half of the images, scored on the other half."""
    chosen_on, scored_on = halves(len(natural))
    best = each[:, chosen_on].mean(1).argmax()
    return mean_position(each[best, scored_on][None], natural[scored_on], chance)


def higher(*controls: Estimate) -> Estimate:
    return max(controls, key=lambda control: control.low)


def analyse(table: pd.DataFrame) -> Analysis:
    chance = 1 / int(table["classes"].iloc[0])
    with_cls = table.groupby("model")["surgery"].transform(lambda surgeries: "isolated_cls" in set(surgeries))
    trained, random = vits_and_control(table[with_cls])
    # the controls are measured against the trained model's accuracy: a random one's own is at chance
    natural = hits(trained[0], "natural")[0]

    def measure(statistic, surgery: str, exchanged: bool) -> Measured:
        estimates = of_each(trained, lambda mine: statistic(hits(mine, surgery), hits(mine, "natural")[0], chance))
        controls = [statistic(hits(random[0], surgery), natural, chance)]
        if exchanged:
            controls.append(statistic(hits(trained[0], "exchanged_patch"), natural, chance))
        return Measured(estimates, higher(*controls))

    statements = {
        "mean_position": measure(mean_position, "head_on_patch", exchanged=True),
        "best_position": measure(best_position, "head_on_patch", exchanged=True),
        "mean_patch": measure(mean_position, "head_on_mean_patch", exchanged=False),
    }
    return Analysis(statements, summary(table), {"head_on_patches": heat_maps(table[~table["random_weights"]])})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """model, architecture, measure, top1, top5 in percent, n images: Table 1's rows, with the paper's numbers beside
    them. As there the maximum over positions is taken on the images that it is shown for; the claim's own is not.
    What does not apply to a model is left empty: a model without CLS has it neither isolated nor exchanged around."""
    rows = []
    for (model, architecture), mine in table.groupby(["model", "architecture"], sort=False):
        by_surgery = dict(list(mine.groupby("surgery")))
        empty = mine.iloc[:0]
        isolated = by_surgery.get("isolated_cls", empty)
        patches = mine[mine["surgery"] == "head_on_patch"]
        best = patches.groupby("at")["rank"].apply(lambda rank: (rank < 1).mean()).idxmax()
        measures = {
            "natural": by_surgery["natural"],
            "isolating_cls": isolated[isolated["at"] == isolated["at"].max() - 1],
            "patch_average": patches,
            "patch_maximum": patches[patches["at"] == best],
            "random_patch": by_surgery["head_on_random_patch"],
            "head_on_mean_of_patches": by_surgery.get("head_on_mean_patch", empty),
            "head_on_mean_of_all_tokens": by_surgery.get("head_on_mean_token", empty),
            "head_on_patch_120": patches[patches["at"] == TOKEN - 1],
            "exchanged_patch_average": by_surgery.get("exchanged_patch", empty),
        }
        for measure, found in measures.items():
            accuracies = {f"top{k}": 100 * (found["rank"] < k).mean() for k in (1, 5)}
            n = found["image"].nunique()
            applies = "yes" if n else "does not apply"
            named = {"model": model, "architecture": architecture, "measure": measure, "applies": applies}
            rows.append({**named, **accuracies, "n": n})
    values = {"top1": "top1", "top5": "top5"}
    return beside_paper(pd.DataFrame(rows), REFERENCE, ["measure"], values, TOLERANCE)


def grid_of(mine: pd.DataFrame) -> tuple[int, int]:
    """Height and width of one model's grid of positions, which ``at`` counts row by row."""
    return int(mine["grid_height"].iloc[0]), int(mine["grid_width"].iloc[0])


def heat_maps(table: pd.DataFrame) -> Figure:
    """Fig. 5: top-1 of the head on each position, one panel a model, one scale for all."""
    models = list(table["model"].unique())
    figure = Figure(figsize=(3.4 * len(models) + 0.8, 3.4), layout="constrained")
    of_position = table[table["surgery"] == "head_on_patch"].groupby(["model", "at"])["rank"]
    highest = 100 * of_position.apply(lambda rank: (rank < 1).mean()).max()
    for axis, model in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
        mine = table[table["model"] == model]
        each = 100 * hits(mine, "head_on_patch").mean(1)
        picture = axis.imshow(each.reshape(grid_of(mine)), cmap="viridis", vmin=0, vmax=highest)
        axis.set(title=f"{model}: whole {100 * hits(mine, 'natural')[0].mean():.0f}%", xticks=[], yticks=[])
    figure.colorbar(picture, ax=figure.axes, label="top-1, percent")
    figure.suptitle("Top-1 of the classifier on each position alone")
    return figure
