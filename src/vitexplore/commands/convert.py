"""Convert a ViT's weights from ONNX to safetensors, compare what both compute, and record where they come from."""

import argparse
from importlib.metadata import metadata, packages_distributions, version
from pathlib import Path

from safetensors.torch import save_file
from timm.models import VisionTransformer

from vitexplore.errors import InputError
from vitexplore.io import sha256, write_atomically, write_json
from vitexplore.models.convert import TOLERANCE, from_onnx, largest_difference
from vitexplore.models.registry import ModelSpec, checkpoint_path, load
from vitexplore.provenance import versions


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", required=True, help="an ONNX file, or package:NAME/FILE for one inside a package")
    parser.add_argument("--architecture", required=True, help="timm's name of the ViT that it holds")
    parser.add_argument("--out", type=Path, required=True, help="safetensors; the record goes beside it, as JSON")


def run(args: argparse.Namespace) -> None:
    path = checkpoint_path(args.source)
    if not path.exists():
        raise InputError(f"{args.source}: no such file; name an ONNX file, or package:NAME/FILE")
    target = load(ModelSpec(args.out.stem, "timm", args.architecture, "vit", "random")).module
    if not isinstance(target, VisionTransformer):
        raise InputError(f"{args.architecture} is no VisionTransformer of timm's; name one that is")
    state = from_onnx(path, target)
    target.load_state_dict(state)
    difference = largest_difference(path, target)
    if not difference <= TOLERANCE:
        raise InputError(
            f"{args.source} and {args.architecture} with its weights differ by {difference:.2g} of the largest token,"
            f" more than {TOLERANCE:g}; convert it to the architecture that it has"
        )
    write_atomically(args.out, lambda temporary: save_file(state, temporary))
    record = {
        "source": args.source,
        **origin(args.source),
        "source_sha256": sha256(path),
        "architecture": args.architecture,
        "tensors": len(state),
        "sha256": sha256(args.out),
        "largest_difference": difference,
        "libraries": f"{versions()}, onnx {version('onnx')}",
    }
    write_json(args.out.with_suffix(".json"), record)


def origin(source: str) -> dict[str, str]:
    """Version and licence of the installed package that ``source`` names; nothing for a file."""
    kind, _, rest = source.partition(":")
    names = packages_distributions().get(rest.partition("/")[0]) if kind == "package" else None
    if not names:
        return {}
    about = metadata(names[0])
    return {
        "package": f"{about['Name']} {about['Version']}",
        "licence": about["License-Expression"] or about["License"],
    }
