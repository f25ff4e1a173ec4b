"""The tables of all claims' twins, one under the other, and their figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from vitexplore.claims.text import Claim
from vitexplore.figures import plots
from vitexplore.io import write_atomically
from vitexplore.planted.figure import drawn
from vitexplore.planted.instrument import validate

NUMBERS = ("accuracy", "measured", "low", "high")  # which may be missing


def write(claim: Claim, out: Path) -> None:
    """Write the table of ``validate`` as CSV."""
    table = validate(claim)
    write_atomically(out, lambda path: table.to_csv(path, index=False, float_format="%.4g"))


def join(claims: Mapping[str, Claim], parts: Sequence[Path], out: Path, figure: Path) -> None:
    """Write the tables of all claims under each other, and their figure."""
    missing = {name: [""] for name in NUMBERS}
    read = [pd.read_csv(part, keep_default_na=False, na_values=missing) for part in parts]
    table = pd.concat(read, ignore_index=True)
    margins = {(of, each): said["margin"] for of, claim in claims.items() for each, said in claim.statements.items()}
    plots.save(drawn(table, margins), figure)
    write_atomically(out, lambda path: table.to_csv(path, index=False))
