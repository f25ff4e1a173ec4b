"""What is known of each claim's instrument: the kept table of its twins (planted/), and the word that follows.

The table's columns: ``claim``, ``statement``, ``role``, ``twin``, ``kind`` (the twin has the property, lacks it, or is
a step of a ladder of strengths), ``strength``, ``accuracy`` of a trained twin, ``wanted`` and ``word``, ``measured``,
``low``, ``high``, ``n``, ``instrument``, and ``code``: a hash of the meaning of the code that measured.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from vitexplore.claims.decide import NOT_VALIDATED, PAPER
from vitexplore.claims.text import Claim
from vitexplore.code_hash import code_hash

COLUMNS = (
    "claim",
    "statement",
    "role",
    "twin",
    "kind",
    "strength",
    "accuracy",
    "wanted",
    "measured",
    "low",
    "high",
    "n",
    "word",
    "instrument",
    "code",
)
KEPT = Path("results/reference/instrument.csv")  # in the checkout
VALID, INSENSITIVE, NOT_SPECIFIC = "valid", "insensitive", "not specific"


def instrument_code(claim: Claim) -> str:
    """A hash of what a claim's twins are measured by: its analysis, its experiment, and the twins."""
    parts = (claim.folder / "analysis.py", f"experiments.{claim.experiment}", "planted.twins")
    return "-".join(code_hash(part)[:8] for part in parts)


def instruments(claim: Claim, kept: Path) -> dict[str, str]:
    """By statement of ``claim``, and for the claim under "", the word for its instrument from the table ``kept``:
    INSENSITIVE where a twin that has the property is not seen to, NOT_SPECIFIC where one that lacks it is, VALID where
    all are right; of the claim by the statements that decide it. NOT_VALIDATED where the table has no such rows, or was
    made by other code."""
    found = dict.fromkeys(["", *claim.statements], NOT_VALIDATED)
    if not kept.exists():
        return found
    table = pd.read_csv(kept, keep_default_na=False)
    mine = table[(table["claim"] == claim.name) & (table["instrument"] != "")]
    if mine.empty or set(mine["code"]) != {instrument_code(claim)}:
        return found
    found |= {statement: worst(rows["instrument"]) for statement, rows in mine.groupby("statement")}
    deciding = [found[name] for name, statement in claim.statements.items() if statement["role"] == PAPER]
    return found | {"": worst(deciding)}


def worst(words: Iterable[str]) -> str:
    """The first of NOT_VALIDATED, INSENSITIVE, NOT_SPECIFIC that is among ``words``; else VALID."""
    words = set(words)
    return next((word for word in (NOT_VALIDATED, INSENSITIVE, NOT_SPECIFIC) if word in words), VALID)
