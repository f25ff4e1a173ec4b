"""Table 1, "Isolating CLS": accuracy with CLS joined to the patches before block k, for every k; and the released
code's CLS-only curve: accuracy with the patches dropped before block k."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, NotTested, by_model, deciding, pooled, rows_for_people
from vitexplore.claims.paper import beside_paper
from vitexplore.claims.tokens import IMAGES, TOLERANCE, natural_room, with_cls
from vitexplore.figures import plots
from vitexplore.measures.accuracy import hits, share
from vitexplore.statistics.intervals import Resampled, resampled_means

HERE = Path(__file__).parent
PRINTED = {  # the released log of each surgery, and its column
    "isolated_cls": ("isolating_cls.csv", "cls_inserted_before_block"),
    "cls_only": ("cls_only.csv", "patches_dropped_before_block"),
}
CURVES = {"isolated_cls": "CLS joins the patches before block k", "cls_only": "the patches are dropped before block k"}


class Kept:
    """By k, the share of one model's accuracy above chance that is kept with CLS ``joined`` before block k (the largest
    k is never), and with CLS ``alone`` from block k on."""

    def __init__(self, mine: pd.DataFrame, chance: float) -> None:
        self.natural, self.chance = hits(mine, "natural")[0], chance
        self.joined, self.alone = (self._by_block(mine, surgery) for surgery in CURVES)
        self.blocks = max(self.joined)

    @staticmethod
    def _by_block(mine: pd.DataFrame, surgery: str) -> dict[int, np.ndarray]:
        at = sorted(mine.loc[mine["surgery"] == surgery, "at"])
        return dict(zip(at, hits(mine, surgery), strict=True))

    def of(self, found: dict[int, np.ndarray], k: int) -> Resampled:
        if k not in found:
            raise NotTested(f"needs {k} among the blocks that the option joined of token_mixing names")
        return share(found[k], self.natural, self.chance)


def analyse(table: pd.DataFrame) -> Analysis:
    table = table[~table["random_weights"] & table["surgery"].isin([*CURVES, "natural"])]
    chance = 1 / int(table["classes"].iloc[0])
    vits = by_model(deciding(with_cls(table)), "vit")
    kept = {name: Kept(mine, chance) for name, mine in vits.items()}
    gate = natural_room([one.natural for one in kept.values()], chance)
    never = {name: one.of(one.joined, one.blocks) for name, one in kept.items()}
    last = {name: one.of(one.joined, one.blocks - 1) for name, one in kept.items()}
    half = {name: one.of(one.joined, one.blocks // 2) for name, one in kept.items()}
    alone = {name: one.of(one.alone, one.blocks - 1) for name, one in kept.items()}
    statements = {
        "last_block": Measured.one(last, never, gate=gate),
        "cls_waits": Measured.one(alone, None, gate=gate),
        "half_way": Measured.one(half, never, gate=gate),
    }
    rows = summary(table)
    alone = rows[rows["model"].isin(set(table["model"]))]
    return Analysis(statements, rows, {"isolated_cls": figure(pooled(table, alone))})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """model (training seeds also together, and ``within`` which row), architecture, surgery, before_block, top1 with
    its interval and top5 in percent, n, beside the released code's numbers."""
    frames = []
    for surgery, (file, column) in PRINTED.items():
        rows = [row for known, each in rows_for_people(table) for row in _accuracies(known, each, surgery)]
        mine = pd.DataFrame(rows).rename(columns={"before_block": column})
        found = beside_paper(mine, HERE / file, [column], {"top1": "top1", "top5": "top5"}, TOLERANCE, IMAGES)
        frames.append(found.rename(columns={column: "before_block"}))
    return pd.concat(frames, ignore_index=True)


def _accuracies(known: dict[str, str], each: list[pd.DataFrame], surgery: str) -> Iterator[dict[str, object]]:
    if surgery not in set(each[0]["surgery"]):  # no CLS
        return
    right = {k: np.mean([hits(mine, surgery, k) for mine in each], axis=0) for k in (1, 5)}
    blocks = sorted(each[0].loc[each[0]["surgery"] == surgery, "at"])
    for at, top1, top5 in zip(blocks, resampled_means(right[1]), right[5], strict=True):
        found = top1.estimate()
        row = known | {"surgery": surgery, "before_block": at, "top1": 100 * found.value}
        row |= {"top1_low": 100 * found.low, "top1_high": 100 * found.high}
        yield row | {"top5": 100 * top5.mean(), "n": len(top5)}


def figure(rows: pd.DataFrame) -> Figure:
    """Both curves of every model, training seeds together, and those of the released log in grey."""
    shown = rows.assign(curve=rows["surgery"].map(CURVES))
    labels = ("block k", "top-1, percent")
    found = plots.lines(
        shown, "before_block", "top1", "model", "What CLS knows without the patches", labels, style="curve"
    )
    found.set_figwidth(9.5)
    return found
