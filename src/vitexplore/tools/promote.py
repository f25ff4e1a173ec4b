"""Copy trained weights, records and curves into the package, where the registry finds them."""

from collections.abc import Iterable
from pathlib import Path

from vitexplore.claims.run import no_rehearsal
from vitexplore.errors import InputError
from vitexplore.io import write_atomically
from vitexplore.models.registry import lab_folder


def promote(folders: Iterable[Path]) -> None:
    """Ship what `train` wrote to ``folders``. Raises InputError for one without a finished training, and for one of a
    rehearsal."""
    for folder in folders:
        no_rehearsal(folder)
        files = [path for suffix in ("safetensors", "json", "csv") for path in sorted(folder.glob(f"*.{suffix}"))]
        if len(files) != 3:
            raise InputError(f"{folder}: no finished training there; run the target `train`")
        for path in files:
            write_atomically(lab_folder() / path.name, lambda to, path=path: to.write_bytes(path.read_bytes()))
