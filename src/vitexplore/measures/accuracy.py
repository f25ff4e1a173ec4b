"""From ranks to accuracies; without the libraries that models need, which take seconds to import."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vitexplore.statistics.intervals import Resampled, ratio, resampled_means


def accuracy_table(ranks: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Percent of ranks below 1, 2 and 5 for each combination of the columns ``by``, each with its 95% interval
    (``top1_low``, ``top1_high``; Wilson 1927, over images), and n."""
    from scipy.stats import binomtest  # takes a second to load, and Snakemake reads this module

    rows = []
    for key, found in ranks.groupby(list(by), sort=False)["rank"]:
        row = dict(zip(by, key, strict=True))
        for k in (1, 2, 5):
            right = int((found < k).sum())
            interval = binomtest(right, len(found)).proportion_ci(method="wilson")
            row |= {f"top{k}": 100 * right / len(found)}
            row |= {f"top{k}_low": 100 * interval.low, f"top{k}_high": 100 * interval.high}
        rows.append({**row, "n": len(found)})
    return pd.DataFrame(rows)


def top_k(classes: int) -> int:
    """The paper's top-5 is 5 of 1,000; among few classes top-2 is the nearest that still asks something."""
    return 5 if classes >= 100 else 2


def at_one_size(mine: pd.DataFrame) -> pd.DataFrame:
    """A model's rows at the common input size, or at its own where that is the common one."""
    return mine[mine["size"] == ("common" if "common" in set(mine["size"]) else "own")]


def hits(mine: pd.DataFrame, surgery: str, k: int = 1) -> np.ndarray:
    """bool [at, images]: whether the class is among the first ``k`` answers; ``mine``: one model's rows of the
    table `token_mixing`."""
    rows = mine[mine["surgery"] == surgery].sort_values("at")
    return np.stack(rows["rank"].to_list()) < k


def share(found: np.ndarray, natural: np.ndarray, chance: float) -> Resampled:
    """``found`` (float [images], a share of hits) above chance, over ``natural`` above chance; not a number where
    ``natural`` is at chance."""
    part, whole = resampled_means(np.stack([found, natural]) - chance)
    return ratio(part, whole)
