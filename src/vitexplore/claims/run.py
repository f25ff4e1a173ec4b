"""What the claims of a run rest on: when their tables were written, of which models, and what code decided on them."""

import json
import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from vitexplore.errors import InputError

RUN = "run.json"  # the record, in the results' folder
REHEARSED = "A rehearsal: made pictures and weights stood in for the real ones, so its words say nothing of any model."
MODEL = ["model", "architecture", "input_size", "family", "random_weights", "weights", "training_seed"]
SHARED = ["device", "dtype", "libraries"]


def run_record(scale: str, tables: Sequence[Path], root: Path, rehearsal: bool = False) -> dict[str, Any]:
    """From result ``tables`` (parquet), for JSON: ``scale``; ``rehearsal``, see ``no_rehearsal``; ``measured``, when
    the first and the last of them was written (UTC); ``code``, the version and the commit of the checkout ``root``;
    ``models``, each with its weights' hash; ``device``, ``dtype`` and ``libraries``, all that were used."""
    rows = [pd.read_parquet(path, columns=[*MODEL, *SHARED]).drop_duplicates().astype(object) for path in tables]
    found = pd.concat([pd.DataFrame(columns=[*MODEL, *SHARED]), *rows])
    times = sorted(datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in tables)
    return {
        "scale": scale,
        "rehearsal": rehearsal,
        "measured": [f"{time:%Y-%m-%d %H:%M}" for time in times[:1] + times[-1:]],
        "code": code_version(root),
        **{name: list(found[name].unique()) for name in SHARED},
        "models": found[MODEL].drop_duplicates().to_dict("records"),
    }


def no_rehearsal(path: Path) -> None:
    """Raises InputError where ``path``, a folder or a file, is or lies in the results of a rehearsal: made pictures and
    weights stood in for the real ones there, so nothing of it may be kept, shipped or shown as a result."""
    for folder in (path, *path.absolute().parents):
        record = folder / RUN
        if record.is_file() and json.loads(record.read_text()).get("rehearsal"):
            raise InputError(
                f"{path}: {folder} is a rehearsal, on made pictures and weights; take a real run's results"
            )


def code_version(root: Path) -> str:
    """The package's version and, where ``root`` is a git checkout, its commit; ``-dirty`` where files were changed."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    only_root = {**os.environ, "GIT_CEILING_DIRECTORIES": str(root.resolve().parent)}
    try:
        said = subprocess.run(command, env=only_root, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return f"vitexplore {version('vitexplore')}"
    return f"vitexplore {version('vitexplore')}, commit {said}"
