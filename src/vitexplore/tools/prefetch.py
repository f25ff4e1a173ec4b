"""Download a model's weights into a file of their own, which needs no network to be read."""

from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file

from vitexplore.errors import InputError
from vitexplore.io import sha256, write_atomically, write_json
from vitexplore.models.registry import load
from vitexplore.models.spec import ModelSpec
from vitexplore.provenance import versions


def prefetch(spec: ModelSpec, out: Path) -> None:
    """Write the published weights of ``spec`` to the safetensors file ``out``, and a record beside it as JSON. Raises
    InputError where they cannot be downloaded."""
    wanted = replace(spec, weights="pretrained", input_size=0)  # at the size that it was trained for
    try:
        model = load(wanted)
    except InputError:
        raise
    except Exception as error:  # each library and hub fails in its own way
        reason = (str(error) or type(error).__name__).splitlines()[0]
        mend = f"try again, or copy {out} and its record from a machine with network"
        raise InputError(f"{wanted.source}/{wanted.architecture} cannot be downloaded: {reason}; {mend}") from error
    # blocks may share tensors, which stand in a state dict once for each: safetensors wants copies
    state = {name: tensor.clone() for name, tensor in model.module.state_dict().items()}
    write_atomically(out, lambda path: save_file(state, path))
    record = {
        "architecture": f"{wanted.source}/{wanted.architecture}",
        "bytes": out.stat().st_size,
        "sha256": sha256(out),
        "libraries": versions(),
    }
    write_json(out.with_suffix(".json"), record)
