"""What is known of each claim's instrument: the kept table of its twins (planted/), and the word that follows.

The table's columns: ``claim``, ``statement``, ``role``, ``twin``, ``kind`` (the twin has the property, lacks it, or is
a step of a ladder of strengths), ``strength``, ``accuracy`` of a trained twin, ``wanted`` and ``word``, ``measured``,
``low``, ``high``, ``n``, ``instrument``, and ``code``: a hash of the meaning of the code that measured.
"""

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pandas as pd

from vitexplore.claims.decide import NOT_VALIDATED, PAPER
from vitexplore.claims.text import Claim
from vitexplore.code_hash import PACKAGE, code_hash

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
WEIGHTS = PACKAGE / "planted" / "weights"
VALID, INSENSITIVE, NOT_SPECIFIC = "valid", "insensitive", "not specific"
HAS_IT, LACKS_IT, LADDER = "has it", "lacks it", "ladder"  # kinds of twins
DECIDES = ("id", "role", "direction", "margin", "nothing", "item_margin", "gate")


def instrument_code(claim: Claim) -> str:
    """A hash of what the words for a claim's twins depend on: its analysis, its experiment, the twins and their
    weights, and what claim.yaml says of statements and twins. Empty for a claim without twins."""
    if not claim.twins:
        return ""
    said = [claim.twins, [{key: each.get(key) for key in DECIDES} for each in claim.statements.values()]]
    records = [path.read_text() for path in sorted(WEIGHTS.glob("*.json"))]
    text = sha256(json.dumps([said, records], sort_keys=True).encode()).hexdigest()
    code = (claim.folder / "analysis.py", f"experiments.{claim.experiment}", "planted.instrument")
    return "-".join([*(code_hash(part)[:8] for part in code), text[:8]])


def kept_rows(claim: Claim, kept: Path) -> pd.DataFrame:
    """The rows of ``claim`` in the table ``kept``; none where there is no such table, or it was made of other code,
    weights or words."""
    if not kept.exists():
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.read_csv(kept).fillna(dict.fromkeys(("kind", "wanted", "instrument", "code"), ""))
    mine = table[table["claim"] == claim.name]
    return mine if set(mine["code"]) == {instrument_code(claim)} else mine[:0]


def instruments(claim: Claim, kept: Path) -> dict[str, str]:
    """By statement of ``claim``, and for the claim under "", the word for its instrument from the table ``kept``:
    INSENSITIVE where a twin that has the property is not seen to, NOT_SPECIFIC where one that lacks it is, VALID where
    twins of both kinds are right; of the claim by the statements that decide it. NOT_VALIDATED where the table has no
    such rows, or was made of other code, weights or words."""
    found = dict.fromkeys(["", *claim.statements], NOT_VALIDATED)
    mine = kept_rows(claim, kept)
    if mine.empty:
        return found
    for statement, rows in mine[mine["instrument"] != ""].groupby("statement"):
        if set(rows["kind"]) == {HAS_IT, LACKS_IT}:
            found[statement] = worst(rows["instrument"])
    deciding = [found[name] for name, statement in claim.statements.items() if statement["role"] == PAPER]
    return found | {"": worst(deciding)}


def worst(words: Iterable[str]) -> str:
    """The first of INSENSITIVE, NOT_SPECIFIC, NOT_VALIDATED that is among ``words``; else VALID."""
    words = set(words)
    return next((word for word in (INSENSITIVE, NOT_SPECIFIC, NOT_VALIDATED) if word in words), VALID)
