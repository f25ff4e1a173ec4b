"""Table 1, "Patch Average" and "Patch Maximum", and Fig. 5: the classifier on each patch token."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, by_model, deciding, rows_for_people
from vitexplore.claims.paper import beside_paper
from vitexplore.claims.tokens import IMAGES, TOLERANCE, natural_room, with_cls
from vitexplore.measures.accuracy import hits, share
from vitexplore.statistics.intervals import Resampled, mean_of, ratio, resampled_mean
from vitexplore.statistics.selection import beside_selection, select_then_score
from vitexplore.statistics.splits import halves

REFERENCE = Path(__file__).parent / "reference.csv"
TOKEN = 120  # that the released code reads; CLS is token 0


class Heads:
    """One model's hits: ``natural`` [images], and of the head on each patch [at, images], after the last block and
    before it; the ``exchanged`` ones are of patches that come from other images before the last block."""

    def __init__(self, mine: pd.DataFrame, chance: float) -> None:
        self.natural, self.chance = hits(mine, "natural")[0], chance
        self.own, self.exchanged = hits(mine, "head_on_patch"), hits(mine, "exchanged_patch")
        self.before, self.exchanged_before = hits(mine, "head_on_patch_before"), hits(mine, "exchanged_patch_before")
        self.mean_patch = hits(mine, "head_on_mean_patch")[0]

    def mean_position(self, each: np.ndarray) -> Resampled:
        """The head's accuracy above chance over all positions, as a share of the natural one above chance."""
        return share(each.mean(0), self.natural, self.chance)

    def best_position(self, each: np.ndarray) -> Resampled:
        """The same at the position at which the head is best on one half of the images, scored on the other half; the
        choice is made anew in each resample, so that the interval covers it."""
        chosen_on, scored_on = halves(len(self.natural))
        found = select_then_score(self.own[:, chosen_on].T, each[:, scored_on].T - self.chance)
        return ratio(found, beside_selection(self.natural[scored_on] - self.chance, len(chosen_on)))


def analyse(table: pd.DataFrame) -> Analysis:
    chance = 1 / int(table["classes"].iloc[0])
    vits = by_model(deciding(with_cls(table)), "vit")
    heads = {name: Heads(mine, chance) for name, mine in vits.items()}
    gate = natural_room([head.natural for head in heads.values()], chance)

    def measured(statistic: Callable[[Heads, bool], Resampled]) -> Measured:
        """``statistic(head, exchanged)``; the control is of exchanged patches."""
        own, control = ({name: statistic(head, x) for name, head in heads.items()} for x in (False, True))
        return Measured.one(own, control, gate=gate)

    statements = {
        "mean_position": measured(lambda h, x: h.mean_position(h.exchanged if x else h.own)),
        "best_position": measured(lambda h, x: h.best_position(h.exchanged if x else h.own)),
        "last_block": measured(
            lambda h, x: (
                h.mean_position(h.exchanged) - h.mean_position(h.exchanged_before)
                if x
                else h.mean_position(h.own) - h.mean_position(h.before)
            )
        ),
        "mean_patch": measured(lambda h, x: share(h.exchanged.mean(0) if x else h.mean_patch, h.natural, chance)),
    }
    return Analysis(statements, summary(table), {"head_on_patches": heat_maps(table[~table["random_weights"]])})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """model (training seeds also together, and ``within`` which row), architecture, classes, measure, at, top1 with its
    interval and top5 in percent, n images: Table 1's rows, with the paper's numbers beside them, and each position's.
    As there the maximum over positions (patch_maximum) is taken on the images that it is shown for; best_position is
    chosen on one half of the images and shown for the other. What does not apply to a model is left empty."""
    rows = []
    for known, each in rows_for_people(table):
        ranks, known = [_ranks_by_measure(mine) for mine in each], known | {"classes": each[0]["classes"].iloc[0]}
        for measure, first in ranks[0].items():
            row = known | {"measure": measure, "applies": "yes" if len(first) else "does not apply"}
            if len(first):
                row |= _percent(mean_of([resampled_mean((found[measure] < 1).mean(0)) for found in ranks]))
                row |= {"top5": 100 * np.mean([found[measure] < 5 for found in ranks]), "n": first.shape[1]}
            rows.append(row)
        patches = [found["patch_average"] < 1 for found in ranks]
        of_positions = known | {"applies": "yes", "n": patches[0].shape[1]}
        rows.append(of_positions | {"measure": "best_position"} | _percent(mean_of(list(map(_at_best, patches)))))
        height, width = grid_of(each[0])
        of_positions |= {"measure": "position", "grid_height": height, "grid_width": width}
        by_position = 100 * np.mean(patches, axis=(0, 2))
        rows += [of_positions | {"at": at, "top1": top1} for at, top1 in enumerate(by_position)]
    values = {"top1": "top1", "top5": "top5"}
    return beside_paper(pd.DataFrame(rows), REFERENCE, ["measure"], values, TOLERANCE, IMAGES)


def _ranks_by_measure(mine: pd.DataFrame) -> dict[str, np.ndarray]:
    """The class's ranks, int [at, images]; none where a measure does not apply to the model."""
    by_surgery = {
        name: np.stack(rows.sort_values("at")["rank"].to_list()) for name, rows in mine.groupby("surgery", sort=False)
    }
    patches, none = by_surgery["head_on_patch"], np.empty((0, 0))
    best = (patches < 1).mean(1).argmax()
    return {
        "natural": by_surgery["natural"],
        "patch_average": patches,
        "patch_average_before_last_block": by_surgery.get("head_on_patch_before", none),
        "patch_maximum": patches[[best]],
        "random_patch": by_surgery["head_on_random_patch"],
        "head_on_mean_of_patches": by_surgery.get("head_on_mean_patch", none),
        "head_on_mean_of_all_tokens": by_surgery.get("head_on_mean_token", none),
        "head_on_patch_120": patches[TOKEN - 1 : TOKEN],
        "exchanged_patch_average": by_surgery.get("exchanged_patch", none),
    }


def _at_best(own: np.ndarray) -> Resampled:
    chosen_on, scored_on = halves(own.shape[1])
    return select_then_score(own[:, chosen_on].T, own[:, scored_on].T)


def _percent(statistic: Resampled) -> dict[str, float]:
    found = statistic.estimate()
    return {"top1": 100 * found.value, "top1_low": 100 * found.low, "top1_high": 100 * found.high}


def grid_of(mine: pd.DataFrame) -> tuple[int, int]:
    """Height and width of one model's grid of positions, which ``at`` counts row by row."""
    return int(mine["grid_height"].iloc[0]), int(mine["grid_width"].iloc[0])


def heat_maps(table: pd.DataFrame) -> Figure:
    """Fig. 5: top-1 of the head on each position, one panel a model, one scale for all."""
    models = list(table["model"].unique())
    figure = Figure(figsize=(3.4 * len(models) + 0.8, 3.4), layout="constrained")
    by_name = {model: table[table["model"] == model] for model in models}
    each = {model: 100 * hits(mine, "head_on_patch").mean(1) for model, mine in by_name.items()}
    highest = max(found.max() for found in each.values())
    for axis, (model, mine) in zip(figure.subplots(1, len(models), squeeze=False)[0], by_name.items(), strict=True):
        picture = axis.imshow(each[model].reshape(grid_of(mine)), cmap="viridis", vmin=0, vmax=highest)
        axis.set(title=f"{model}: whole {100 * hits(mine, 'natural')[0].mean():.0f}%", xticks=[], yticks=[])
    figure.colorbar(picture, ax=figure.axes, label="top-1, percent")
    figure.suptitle("Top-1 of the classifier on each position alone")
    return figure
