"""Download a model's weights into a file of their own, which needs no network to be read."""

import argparse
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file

from vitexplore.commands.common import spec_of
from vitexplore.errors import InputError
from vitexplore.io import sha256, write_atomically, write_json
from vitexplore.models.registry import load
from vitexplore.provenance import versions


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--spec", required=True, help="a model as JSON")
    parser.add_argument("--out", type=Path, required=True, help="safetensors; a record is written beside it")


def run(args: argparse.Namespace) -> None:
    wanted = replace(spec_of(args.spec), weights="pretrained", input_size=0)  # at the size that it was trained for
    try:
        model = load(wanted)
    except InputError:
        raise
    except Exception as error:  # each library and hub fails in its own way
        reason = (str(error) or type(error).__name__).splitlines()[0]
        mend = f"try again, or copy {args.out} and its record from a machine with network"
        raise InputError(f"{wanted.source}/{wanted.architecture} cannot be downloaded: {reason}; {mend}") from error
    # blocks may share tensors, which stand in a state dict once for each: safetensors wants copies
    state = {name: tensor.clone() for name, tensor in model.module.state_dict().items()}
    write_atomically(args.out, lambda path: save_file(state, path))
    record = {
        "architecture": f"{wanted.source}/{wanted.architecture}",
        "bytes": args.out.stat().st_size,
        "sha256": sha256(args.out),
        "libraries": versions(),
    }
    write_json(args.out.with_suffix(".json"), record)
