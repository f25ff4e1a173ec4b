"""Table 1, "Patch Average" and "Patch Maximum", and Fig. 5: the classifier on each patch token."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims import Analysis, Measured, vits_and_control
from vitexplore.stats import Estimate, bootstrap, halves


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
    trained, random = vits_and_control(table)
    # the controls are measured against the trained model's accuracy: a random one's own is at chance
    natural = hits(trained[0], "isolated_cls")[0]

    def measure(statistic, surgery: str, exchanged: bool) -> Measured:
        estimates = [statistic(hits(m, surgery), hits(m, "isolated_cls")[0], chance) for m in trained]
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
    """model, measure, top1, top5 in percent, n images: Table 1's rows, and as there the maximum over positions is
    taken on the images that it is shown for; the claim's own is not."""
    rows = []
    for model, mine in table.groupby("model", sort=False):
        natural = mine[(mine["surgery"] == "isolated_cls") & (mine["at"] == 0)]
        patches = mine[mine["surgery"] == "head_on_patch"]
        best = patches.groupby("at")["rank"].apply(lambda rank: (rank < 1).mean()).idxmax()
        measures = {
            "natural": natural,
            "patch_average": patches,
            "patch_maximum": patches[patches["at"] == best],
            "head_on_mean_of_patches": mine[mine["surgery"] == "head_on_mean_patch"],
            "exchanged_patch_average": mine[mine["surgery"] == "exchanged_patch"],
        }
        for measure, found in measures.items():
            accuracies = {f"top{k}": 100 * (found["rank"] < k).mean() for k in (1, 5)}
            rows.append({"model": model, "measure": measure, **accuracies, "n": found["image"].nunique()})
    return pd.DataFrame(rows)


def heat_maps(table: pd.DataFrame) -> Figure:
    """Fig. 5: top-1 of the head on each position, one panel a model, one scale for all."""
    models = list(table["model"].unique())
    figure = Figure(figsize=(4.2 * len(models), 3.9), layout="constrained")
    of_position = table[table["surgery"] == "head_on_patch"].groupby(["model", "at"])["rank"]
    highest = 100 * of_position.apply(lambda rank: (rank < 1).mean()).max()
    for axis, model in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
        mine = table[table["model"] == model]
        each = 100 * hits(mine, "head_on_patch").mean(1)
        side = round(len(each) ** 0.5)
        picture = axis.imshow(each.reshape(side, -1), cmap="viridis", vmin=0, vmax=highest)
        axis.set(title=f"{model}: CLS {100 * hits(mine, 'isolated_cls')[0].mean():.0f}%", xticks=[], yticks=[])
    figure.colorbar(picture, ax=figure.axes, label="top-1 of the head on the patch, percent")
    figure.suptitle("The classifier on each patch alone")
    return figure
