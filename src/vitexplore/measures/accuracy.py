"""From ranks to accuracies; without the libraries that models need, which take seconds to import."""

from collections.abc import Sequence

import pandas as pd
from scipy.stats import binomtest


def accuracy_table(ranks: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Percent of ranks below 1, 2 and 5 for each combination of the columns ``by``, each with its 95% interval
    (``top1_low``, ``top1_high``; Wilson 1927, over images), and n."""
    rows = []
    for key, found in ranks.groupby(list(by), sort=False)["rank"]:
        row = dict(zip(by, key, strict=True))
        for k in (1, 2, 5):
            hits = int((found < k).sum())
            interval = binomtest(hits, len(found)).proportion_ci(method="wilson")
            row |= {f"top{k}": 100 * hits / len(found)}
            row |= {f"top{k}_low": 100 * interval.low, f"top{k}_high": 100 * interval.high}
        rows.append({**row, "n": len(found)})
    return pd.DataFrame(rows)
