"""Files: atomic writes, hashes, tables with provenance."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pandas as pd


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it: readers see the old file or
    the new one, never half of one. A failure leaves the old file and no temporary one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda temporary: temporary.write_text(text))


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_table(path: Path, table: pd.DataFrame, provenance: dict[str, Any]) -> None:
    """Parquet, with ``provenance`` as further columns of one value each (they compress to nothing)."""
    write_tables(path, [(table, provenance)])


def write_tables(path: Path, parts: Sequence[tuple[pd.DataFrame, dict[str, Any]]]) -> None:
    """The same of several tables of the same columns, under each other, each with a provenance of its own."""
    columns = {}
    for name in parts[0][1]:
        values = chain.from_iterable(repeat(provenance[name], len(table)) for table, provenance in parts)
        columns[name] = pd.Categorical(list(values))
    whole = pd.concat([table for table, _ in parts], ignore_index=True).join(pd.DataFrame(columns))
    write_atomically(path, lambda temporary: whole.to_parquet(temporary, compression="zstd", index=False))


def read_tables(paths: Sequence[Path]) -> pd.DataFrame:
    """Tables of the same columns under each other; text and provenance columns as plain values."""
    frames = [pd.read_parquet(path) for path in paths]
    for frame in frames:
        for name in frame.select_dtypes("category"):
            frame[name] = frame[name].astype(frame[name].cat.categories.dtype)
    return pd.concat(frames, ignore_index=True)


def rows_of(path: Path, model: str) -> pd.DataFrame:
    """A model's rows of the table at ``path``, which holds those of a group."""
    found = read_tables([path])
    return found[found["model"] == model].reset_index(drop=True)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
