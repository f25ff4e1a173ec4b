"""What the claims of a run rest on: when their tables were written, by which code, of which models."""

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

MODEL = ["model", "architecture", "family", "random_weights", "weights", "training_seed"]
SHARED = ["device", "dtype", "libraries"]


def run_record(scale: str, tables: Sequence[Path], root: Path) -> dict[str, Any]:
    """From result ``tables`` (parquet), for JSON: ``scale``; ``measured``, when the first and the last of them was
    written (UTC); ``code``, the version and the commit of the checkout ``root``; ``models``, each with its weights'
    hash; ``device``, ``dtype`` and ``libraries``, all that were used."""
    rows = [pd.read_parquet(path, columns=[*MODEL, *SHARED]).drop_duplicates().astype(object) for path in tables]
    found = pd.concat([pd.DataFrame(columns=[*MODEL, *SHARED]), *rows])
    times = sorted(datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in tables)
    return {
        "scale": scale,
        "measured": [f"{time:%Y-%m-%d %H:%M}" for time in times[:1] + times[-1:]],
        "code": code_version(root),
        **{name: list(found[name].unique()) for name in SHARED},
        "models": found[MODEL].drop_duplicates().to_dict("records"),
    }


def code_version(root: Path) -> str:
    """The package's version and, where ``root`` is a git checkout, its commit; ``-dirty`` where files were changed."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    only_root = {**os.environ, "GIT_CEILING_DIRECTORIES": str(root.resolve().parent)}
    try:
        said = subprocess.run(command, env=only_root, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return f"vitexplore {version('vitexplore')}"
    return f"vitexplore {version('vitexplore')}, commit {said}"
