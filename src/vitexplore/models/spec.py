"""What a model is: where it comes from, its weights, its preprocessing. Needs neither torch nor the weights."""

from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field

from vitexplore.errors import InputError

Source = Literal["timm", "open_clip", "torchvision", "lab"]
Family = Literal["vit", "clip", "cnn"]
SOURCES: tuple[str, ...] = get_args(Source)
FAMILIES: tuple[str, ...] = get_args(Family)
Preprocessing = Literal["own", "paper"]  # how images are brought to a model's input size
PREPROCESSINGS: tuple[str, ...] = get_args(Preprocessing)
MATCHES = ("name", "order")

Channels = Annotated[tuple[float, ...], Field(description="a number for each of red, green and blue")]


@dataclass(frozen=True)
class ModelSpec:
    """A model by name, and the preprocessing that belongs to it.

    ``architecture`` is a full weight tag (``vit_base_patch16_384.orig_in21k_ft_in1k``; open_clip:
    ``ViT-B-16/openai``). ``weights`` is ``pretrained``, ``random`` (controls, tests of code), the path of a local
    checkpoint (safetensors, a plain state dict, or ONNX of a ViT of timm's), or ``package:NAME/FILE`` for a checkpoint
    inside an installed package. A checkpoint's names become the model's by ``key_map`` (prefix to prefix), or by
    ``match: order`` where both list the same tensors in the same order under other names. ``seed`` is the training seed
    of a lab model, else that of random weights.
    ``input_size`` in pixels, 0 for the architecture's own; ``crop`` is the share of the resized image
    that the centre crop keeps. Raises InputError for a source, a family or a match that does not exist.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    source: Source
    architecture: str
    family: Family
    weights: str = "pretrained"
    key_map: dict[str, str] = field(default_factory=dict)
    match: Literal["name", "order"] = "name"
    input_size: int = 0
    seed: int = 0
    mean: Channels = ()
    std: Channels = ()
    interpolation: Literal["", "bilinear", "bicubic"] = ""
    crop: float = 0.0

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise InputError(f"model {self.name}: source {self.source!r} is none of {', '.join(SOURCES)}")
        if self.family not in FAMILIES:
            raise InputError(f"model {self.name}: family {self.family!r} is none of {', '.join(FAMILIES)}")
        if self.match not in MATCHES:
            raise InputError(f"model {self.name}: match {self.match!r} is neither name nor order")

    @property
    def random(self) -> bool:
        return self.weights == "random"

    @property
    def published(self) -> bool:
        """Whether its weights come from a library's hub."""
        return self.source != "lab" and self.weights == "pretrained"
