"""Table 1, "Isolating CLS": accuracy with CLS joined to the patches before block k, for every k; and the released
code's CLS-only curve: accuracy with the patches dropped before block k."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, NotTested, by_model, deciding, of_each, pooled
from vitexplore.claims.paper import beside_paper
from vitexplore.claims.tokens import IMAGES, TOLERANCE, natural_room, with_cls
from vitexplore.figures import plots
from vitexplore.measures.accuracy import hits, share

HERE = Path(__file__).parent
CURVES = {"isolated_cls": "CLS joins before block k", "cls_only": "patches dropped before block k"}


def analyse(table: pd.DataFrame) -> Analysis:
    table = table[~table["random_weights"] & table["surgery"].isin(CURVES)]
    chance = 1 / int(table["classes"].iloc[0])
    vits = by_model(deciding(with_cls(table)), "vit")
    isolated = {name: by_block(mine) for name, mine in vits.items()}
    gate = natural_room([found[0] for found in isolated.values()], chance)

    def joined(before: Callable[[int], int]) -> Measured:
        """With CLS joined before block ``before(depth)``; the control, never."""

        def of(found: dict[int, np.ndarray], k: int):
            if k not in found:
                raise NotTested(f"needs {k} among the blocks that the option joined of token_mixing names")
            return share(found[k], found[0], chance)

        each = of_each(isolated, lambda found: of(found, before(max(found))))
        first = next(iter(isolated.values()))
        return Measured.one(each, of(first, max(first)), gate=gate)

    statements = {"last_block": joined(lambda depth: depth - 1), "half_way": joined(lambda depth: depth // 2)}
    means = accuracies(table)
    return Analysis(statements, summary(means), {"isolated_cls": figure(pooled(table, means))})


def by_block(mine: pd.DataFrame) -> dict[int, np.ndarray]:
    """By k, one model's hits with CLS joined before block k: bool [images]. The largest k is never."""
    at = sorted(mine.loc[mine["surgery"] == "isolated_cls", "at"])
    return dict(zip(at, hits(mine, "isolated_cls"), strict=True))


def accuracies(table: pd.DataFrame) -> pd.DataFrame:
    """model, architecture, surgery, at, top1 and top5 in percent, n."""
    rows = table[["model", "architecture", "surgery", "at"]].copy()
    for k in (1, 5):
        rows[f"top{k}"] = [100 * (rank < k).mean() for rank in table["rank"]]
    return rows.assign(n=table["rank"].map(len))


def summary(means: pd.DataFrame) -> pd.DataFrame:
    """The same beside the released code's numbers, ``at`` being ``before_block``."""
    values = {"top1": "top1", "top5": "top5"}
    printed = (("isolated_cls", "isolating_cls.csv", "cls_inserted_before_block"),
               ("cls_only", "cls_only.csv", "patches_dropped_before_block"))  # fmt: skip
    frames = []
    for surgery, file, column in printed:
        mine = means[means["surgery"] == surgery].rename(columns={"at": column})
        found = beside_paper(mine, HERE / file, [column], values, TOLERANCE, IMAGES)
        frames.append(found.rename(columns={column: "before_block"}))
    return pd.concat(frames, ignore_index=True)


def figure(means: pd.DataFrame) -> Figure:
    """Both curves of every model, training seeds together."""
    shown = means.assign(curve=means["surgery"].map(CURVES))
    labels = ("k", "top-1, percent")
    found = plots.lines(shown, "at", "top1", "model", "CLS without the patches", labels, style="curve")
    found.set_figwidth(9.5)
    return found
