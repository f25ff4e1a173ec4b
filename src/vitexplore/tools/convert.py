"""Convert a ViT's weights from ONNX to safetensors, compare what both compute, and record where they come from."""

from importlib.metadata import metadata, packages_distributions, version
from pathlib import Path

from safetensors.torch import save_file
from timm.models import VisionTransformer

from vitexplore.errors import InputError
from vitexplore.io import sha256, write_atomically, write_json
from vitexplore.models.convert import TOLERANCE, from_onnx, largest_difference
from vitexplore.models.registry import checkpoint_path, load
from vitexplore.models.spec import ModelSpec
from vitexplore.provenance import versions


def convert(source: str, architecture: str, out: Path) -> None:
    """Write the weights of ``source``, an ONNX file or package:NAME/FILE for one inside a package, as the safetensors
    file ``out`` of timm's ViT ``architecture``, and a record beside it as JSON. Raises InputError where there is no
    such source, it does not fit the architecture, or the two compute different things."""
    path = checkpoint_path(source)
    if not path.exists():
        raise InputError(f"{source}: no such file; name an ONNX file, or package:NAME/FILE")
    target = load(ModelSpec(out.stem, "timm", architecture, "vit", "random")).module
    if not isinstance(target, VisionTransformer):
        raise InputError(f"{architecture} is no VisionTransformer of timm's; name one that is")
    state = from_onnx(path, target)
    target.load_state_dict(state)
    difference = largest_difference(path, target)
    if not difference <= TOLERANCE:
        raise InputError(
            f"{source} and {architecture} with its weights differ by {difference:.2g} of the largest token,"
            f" more than {TOLERANCE:g}; convert it to the architecture that it has"
        )
    write_atomically(out, lambda temporary: save_file(state, temporary))
    record = {
        "source": source,
        **origin(source),
        "source_sha256": sha256(path),
        "architecture": architecture,
        "tensors": len(state),
        "sha256": sha256(out),
        "largest_difference": difference,
        "libraries": f"{versions()}, onnx {version('onnx')}",
    }
    write_json(out.with_suffix(".json"), record)


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
