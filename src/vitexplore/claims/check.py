"""Compare the claims' numbers with what their claim.yaml expects at this scale."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from vitexplore.claims.render import decisive
from vitexplore.claims.text import claims_in_order
from vitexplore.errors import InputError
from vitexplore.statistics.verdict import NOT_RUN

SAME, DRIFTED, MISSING = 0, 1, 2


def compare(table: pd.DataFrame, expected: dict[tuple[str, str], dict[str, float]]) -> list[tuple[str, int]]:
    """A line and a code (SAME, DRIFTED, MISSING) for each number that is expected or was measured. A
    number that was measured but that nothing expects counts as missing its expectation."""
    measured = {(row["claim"], row["statement"]): row["measured"] for row in decisive(table).to_dict("records")}
    lines = []
    for key, want in expected.items():
        name, found = ".".join(key), measured.get(key, math.nan)
        if not math.isfinite(found):
            lines.append((f"{name}: no finite number; expected {want['value']:.4f}", MISSING))
            continue
        code = SAME if abs(found - want["value"]) <= want["tolerance"] else DRIFTED
        line = f"{name}: {found:.4f}, expected {want['value']:.4f} within {want['tolerance']:.4f}"
        lines.append((line, code))
    unexpected = [key for key, found in measured.items() if math.isfinite(found) and key not in expected]
    lines += [(f"{'.'.join(key)}: measured, but claim.yaml expects nothing here", MISSING) for key in unexpected]
    return lines


def without_numbers(table: pd.DataFrame) -> list[tuple[str, int]]:
    """A line and a code for each statement without a finite number, and each claim that was not run."""
    found = decisive(table)
    missing = found[~np.isfinite(found["measured"].astype(float))]
    lines = [(f"{row.claim}.{row.statement}: no finite number", MISSING) for row in missing.itertuples()]
    others = table[table["word"] == NOT_RUN]
    return lines + [(f"{row.claim}: not run: {row.why}", MISSING) for row in others.itertuples()]


def agreements(table: pd.DataFrame) -> list[tuple[str, int]]:
    """A line and a code for each claim whose values were compared with the paper's."""
    lines = []
    for row in table.dropna(subset="values").to_dict("records"):
        agree, _, compared = row["values"].partition(" of ")
        line = f"{row['claim']}: {row['values']} values agree with the paper's"
        lines.append((line, SAME if agree == compared else DRIFTED))
    return lines


def check(table: Path, analyses: Path, scale: str) -> int:
    """Compare ``table`` (claims.csv) with what the claims of ``analyses`` expect at ``scale``; a line each on the
    terminal. 0 where all agree, 1 on a drift, 2 where a number is missing or not finite. Words do not matter. Raises
    InputError where there is no table, or nothing to compare it with."""
    if not table.exists():
        raise InputError(f"{table}: no such table; run the scale first")
    expected = {}
    for name, claim in claims_in_order(analyses).items():
        values = claim.text["expected"].get(scale, {"values": {}})["values"] if claim else {}
        expected |= {(name, statement): want for statement, want in values.items()}
    measured = pd.read_csv(table)
    lines = agreements(measured)  # at paper scale it is the paper that says what is expected
    if not lines and not expected:
        mend = f"write those of a run that you trust under expected.{scale} in each claim.yaml"
        raise InputError(f"{table}: nothing to compare: no claim has expected values of scale {scale!r}; {mend}")
    lines = (compare(measured, expected) if expected else without_numbers(measured)) + lines
    console = Console(soft_wrap=True, highlight=False)
    for line, code in lines:
        console.print(f"{('same   ', 'DRIFTED', 'MISSING')[code]} {line}")
    return max(code for _, code in lines)
