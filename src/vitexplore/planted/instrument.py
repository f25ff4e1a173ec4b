"""Does each claim's instrument work? Every twin's tables through the claim's analysis, held against the word wanted."""

import json
import logging
from collections.abc import Sequence
from typing import Any

import pandas as pd

from vitexplore.claims.decide import NOT_VALIDATED, claim_rows, run_analysis
from vitexplore.claims.instrument import (
    COLUMNS,
    HAS_IT,
    INSENSITIVE,
    LACKS_IT,
    LADDER,
    NOT_SPECIFIC,
    VALID,
    WEIGHTS,
    instrument_code,
)
from vitexplore.claims.text import Claim
from vitexplore.planted.lab import FULL, Budget, Lab
from vitexplore.planted.twins import Twin, of_claim
from vitexplore.progress import track
from vitexplore.statistics.verdict import NO_ROOM

log = logging.getLogger(__name__)
SEEN = "seen"


def validate(claim: Claim, budget: Budget = FULL) -> pd.DataFrame:
    """A row for each statement on each twin of ``claim``; see claims/instrument.py for the columns."""
    lab, twins = Lab(budget), of_claim(claim.name)
    rows = [row for twin in track(twins, claim.name, len(twins)) for row in rows_of_twin(claim, twin, lab)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def rows_of_twin(claim: Claim, twin: Twin, lab: Lab) -> list[dict[str, Any]]:
    """Of each statement of ``claim``: what was measured on the twin, and whether that is what was wanted."""
    log.info("%s: twin %s, strength %g", claim.name, twin.name, twin.strength)
    about = {
        "claim": claim.name,
        "twin": twin.name,
        "strength": twin.strength,
        "accuracy": accuracy_of(twin.name),
        "code": instrument_code(claim),
    }
    rows = []
    for row in measured(claim, twin.tables(lab)):
        wanted = "" if twin.in_part else claim.twins[twin.name].get(row["statement"], "")
        kind = LADDER if twin.in_part else HAS_IT if wanted == SEEN else LACKS_IT if wanted else ""
        rows.append(about | row | {"kind": kind, "wanted": wanted, "instrument": judged(wanted, row["word"])})
    return rows


def measured(claim: Claim, tables: Sequence[pd.DataFrame]) -> list[dict[str, Any]]:
    """Statement, role, measured, low, high, n and word of each statement of ``claim`` on ``tables``."""
    rows = claim_rows(claim, run_analysis(claim, *tables), tables[0])
    kept = ("statement", "role", "measured", "low", "high", "n", "word")
    return [{name: row[name] for name in kept} for row in rows if row["statement"] and row["word"]]


def judged(wanted: str, word: str) -> str:
    """VALID where the word is right; INSENSITIVE where what is there is not seen, NOT_SPECIFIC where what is not there
    is; NOT_VALIDATED where the twin leaves no room to tell; empty where nothing is wanted."""
    if not wanted:
        return ""
    if word == NO_ROOM:
        return NOT_VALIDATED
    if wanted == SEEN:
        return VALID if word == SEEN else INSENSITIVE
    return NOT_SPECIFIC if word == SEEN else VALID


def accuracy_of(twin: str) -> float | None:
    """Top-1 accuracy of a trained twin, 0 to 1."""
    path = WEIGHTS / f"{twin}.json"
    return json.loads(path.read_text())["test_top1"] if path.exists() else None
