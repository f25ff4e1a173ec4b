"""Copy trained weights, records and curves into the package, where the registry finds them."""

import argparse
from pathlib import Path

from vitexplore.errors import InputError
from vitexplore.io import write_atomically
from vitexplore.models.registry import lab_folder


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", type=Path, nargs="+", help="folders that `train` wrote")


def run(args: argparse.Namespace) -> None:
    for folder in args.folders:
        files = [path for suffix in ("safetensors", "json", "csv") for path in sorted(folder.glob(f"*.{suffix}"))]
        if len(files) != 3:
            raise InputError(f"{folder}: no finished training there; run the target `train`")
        for path in files:
            write_atomically(lab_folder() / path.name, lambda to, path=path: to.write_bytes(path.read_bytes()))
