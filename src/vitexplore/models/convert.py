"""From an ONNX file to timm's names: a real ViT without a model hub.

PyTorch's export of Hugging Face's ``Dinov2Model`` keeps the names of biases, norms and layer scales, such as
``backbone.encoder.layer.0.norm1.weight``. Each linear layer's weight, transposed, and the position embedding become
constants without a name: they are found by the node that reads them.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from timm.models import VisionTransformer
from torch import Tensor

from vitexplore.errors import InputError

if TYPE_CHECKING:
    from onnx import ModelProto

TOLERANCE = 1e-4  # of the largest token; rounding in float32 stays below a tenth of it, one wrong tensor far above
NAMES = {  # parts of timm's names, and what they are in Dinov2Model
    "cls_token": "embeddings.cls_token",
    "patch_embed.proj": "embeddings.patch_embeddings.projection",
    "blocks": "encoder.layer",
    "attn.proj": "attention.output.dense",
    "ls1.gamma": "layer_scale1.lambda1",
    "ls2.gamma": "layer_scale2.lambda1",
    "norm.": "layernorm.",
}


def from_onnx(path: Path, target: VisionTransformer) -> dict[str, Tensor]:
    """A state dict for ``target`` from the backbone in the ONNX file at ``path``. Raises InputError unless every
    tensor of ``target`` is there in its shape and none of the backbone's is left over, and where onnx is missing."""
    found = _backbone(path)
    mend = "convert it to the architecture that it has"
    state = {}
    for name, wanted in target.state_dict().items():
        theirs = _their_names(name)
        if missing := [source for source in theirs if source not in found]:
            raise InputError(f"{path} lacks {missing[0]}, which would become {name}; {mend}")
        state[name] = torch.cat([found.pop(source) for source in theirs], dim=1 if name == "pos_embed" else 0)
        if state[name].shape != wanted.shape:
            shapes = f"{tuple(state[name].shape)}, not {tuple(wanted.shape)}"
            raise InputError(f"{path}: {theirs[0]} makes {name} of shape {shapes}; {mend}")
    if found:
        raise InputError(f"{path} has {min(found)}, which would become nothing; {mend}")
    return state


def _their_names(name: str) -> list[str]:
    """The tensors that make timm's ``name``, as `_backbone` names them."""
    if name == "pos_embed":  # CLS's position is joined to the patches', which are reshaped to be resampled
        return ["embeddings.Concat", "embeddings.Reshape"]
    for ours, theirs in NAMES.items():
        name = name.replace(ours, theirs)
    if "attn.qkv" in name:
        return [name.replace("attn.qkv", f"attention.attention.{part}") for part in ("query", "key", "value")]
    return [name]


def _backbone(path: Path) -> dict[str, Tensor]:
    """The backbone's tensors under their names in PyTorch; a constant that is no linear layer's weight goes by its
    module and the operation that reads it, such as ``embeddings.Reshape``."""
    graph = _read(path).graph  # before any import of onnx: it knows the mend where there is none
    from onnx.numpy_helper import to_array

    tensors = {entry.name: torch.from_numpy(to_array(entry).copy()) for entry in graph.initializer}
    found = {name.removeprefix("backbone."): value for name, value in tensors.items() if name.startswith("backbone.")}
    for node in graph.node:
        if node.name.startswith("/backbone/"):
            module = ".".join(node.name.split("/")[2:-1])
            for name in node.input:
                if name in tensors and not name.startswith("backbone."):
                    linear = node.op_type == "MatMul"
                    key = f"{module}.weight" if linear else f"{module}.{node.op_type}"
                    found[key] = tensors[name].T if linear else tensors[name]
    return found


def _read(path: Path) -> "ModelProto":
    try:
        import onnx
    except ModuleNotFoundError as error:
        mend = "pip install onnx (tested version: requirements-weights.lock)"
        raise InputError(f"{path} needs the package onnx to be read; install it: {mend}") from error
    try:
        return onnx.load(path)
    except Exception as error:  # protobuf's kinds, onnx's own and the operating system's
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path} cannot be read as ONNX: {reason}") from error


@torch.no_grad()
def largest_difference(path: Path, target: VisionTransformer) -> float:
    """Between the tokens after the last norm in ``target``, which has the converted weights, and in the graph at
    ``path``, which onnx's reference evaluator computes in numpy: over the graph's largest, for an image of noise at
    the target's own size, where the graph's resampling of positions changes nothing."""
    model = _read(path)
    from onnx.reference import ReferenceEvaluator

    nodes = model.graph.node
    last = max(number for number, node in enumerate(nodes) if node.name.startswith("/backbone/layernorm/"))
    del nodes[last + 1 :], model.graph.output[:]
    image = torch.randn(1, 3, *target.patch_embed.img_size, generator=torch.Generator().manual_seed(0))
    (theirs,) = ReferenceEvaluator(model).run([nodes[last].output[0]], {model.graph.input[0].name: image.numpy()})
    tokens = torch.from_numpy(theirs)
    return float((target.forward_features(image) - tokens).abs().max() / tokens.abs().max())
