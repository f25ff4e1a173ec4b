"""What the kept table (claims/instrument.py) says of each twin of a claim, for the claims page."""

from pathlib import Path
from typing import Any

from vitexplore.claims.instrument import kept_rows
from vitexplore.claims.text import Claim


def twins_shown(claim: Claim, kept: Path) -> dict[str, list[dict[str, Any]]]:
    """By statement of ``claim`` of which a word is wanted of some twin, the rows of these twins in the table ``kept``,
    with the steps of their ladders. Empty where there is no such table, or it was made of other code, weights or
    words."""
    mine = kept_rows(claim, kept)
    told = mine[mine["statement"].isin(mine.loc[mine["wanted"] != "", "statement"]) & (mine["kind"] != "")]
    return {name: rows.to_dict("records") for name, rows in told.groupby("statement", sort=False)}
