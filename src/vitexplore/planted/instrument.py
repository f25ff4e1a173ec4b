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
from vitexplore.statistics.verdict import NOT_SEEN, NOT_TESTABLE, OPPOSITE, SEEN, WEAKER

log = logging.getLogger(__name__)
SHORT = {"short": (WEAKER, NOT_SEEN, OPPOSITE)}  # what is surely short of the margin, in whatever form


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
    return [{name: row[name] for name in kept} for row in rows if row["statement"] and row["scope"]]


def judged(wanted: str, word: str) -> str:
    """VALID where the word is right; NOT_SPECIFIC where what is not there is seen; NOT_VALIDATED where the twin leaves
    nothing to test; else INSENSITIVE, for *undecided* is never right; empty where nothing is wanted."""
    if not wanted:
        return ""
    if word in SHORT.get(wanted, (wanted,)):
        return VALID
    if word == NOT_TESTABLE:
        return NOT_VALIDATED
    return NOT_SPECIFIC if word == SEEN else INSENSITIVE


def accuracy_of(twin: str) -> float | None:
    """Top-1 accuracy of a trained twin, 0 to 1."""
    path = WEIGHTS / f"{twin}.json"
    return json.loads(path.read_text())["test_top1"] if path.exists() else None
