"""What tables of numbers are read by: networks of one architecture together, and the paper's own numbers."""

from collections.abc import Mapping

import pandas as pd

from vitexplore.figures.paper.tiles import Missing
from vitexplore.graph import Graph
from vitexplore.io import read_tables
from vitexplore.statistics.intervals import Statistic

OURS, PAPER = "measured", "paper"


def trained(graph: Graph, table: str) -> pd.DataFrame:
    """The rows of trained models in a table that holds their answers. Raises Missing where there are none."""
    paths = graph.tables(table)
    rows = read_tables(paths) if paths else pd.DataFrame()
    if rows.empty or rows["random_weights"].all():
        raise Missing(f"this scale has no trained classifier in the experiment {graph.source(table)}")
    return rows[~rows["random_weights"]]


def by_architecture(rows: pd.DataFrame) -> Mapping[str, list[pd.DataFrame]]:
    """Each model's rows, those of training seeds together under the first one's name and their number."""
    found = {}
    for _, alike in rows.groupby("architecture", sort=False):
        each = [mine for _, mine in alike.groupby("model", sort=False)]
        seeds = f" ({len(each)} seeds)" if len(each) > 1 else ""
        found[f"{each[0]['model'].iloc[0]}{seeds}"] = each
    return found


def percent(statistic: Statistic) -> dict[str, float]:
    """A share with its 95% interval, in percent."""
    found = statistic.estimate()
    return {"value": 100 * found.value, "low": 100 * found.low, "high": 100 * found.high}


def printed(graph: Graph, claim: str) -> pd.DataFrame:
    """The numbers that the paper prints about a claim."""
    return pd.read_csv(graph.root / "analyses" / claim / "reference.csv")
