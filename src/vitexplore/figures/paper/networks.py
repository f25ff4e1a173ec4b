"""What the tables of numbers are drawn from: what the analyses of claims found, and the paper's own numbers."""

from typing import Any

import pandas as pd

from vitexplore.figures.paper.tiles import Missing
from vitexplore.graph import Graph

OURS, PAPER = "measured", "paper"


def of_claim(graph: Graph, claim: str) -> pd.DataFrame:
    """The table that a claim's analysis wrote for people. Raises Missing where the scale does not test the claim or has
    not what it is about."""
    path = graph.summary(f"claim_{claim}")
    table = pd.read_csv(path) if path.exists() else pd.DataFrame({"not_run": ["this scale does not test it"]})
    if "not_run" in table:
        raise Missing(f"{claim}: {table['not_run'].iloc[0]}")
    return table


def together(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of such a table without models that stand in a row of training seeds together."""
    return table[table["within"].isna()]


def in_percent(row: Any, column: str, factor: float = 1.0) -> dict[str, float]:
    """A row's number of ``column`` and its 95% interval, times ``factor``."""
    ends = {"value": column, "low": f"{column}_low", "high": f"{column}_high"}
    return {end: factor * getattr(row, name) for end, name in ends.items()}


def printed(graph: Graph, claim: str) -> pd.DataFrame:
    """The numbers that the paper prints about a claim."""
    return pd.read_csv(graph.root / "analyses" / claim / "reference.csv")
