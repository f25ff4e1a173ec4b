"""Where a number comes from: model, weights, data, preprocessing, device and library versions."""

from importlib.metadata import version
from typing import Any

LIBRARIES = ("torch", "torchvision", "timm", "open_clip_torch", "numpy", "pillow")


def versions() -> str:
    """The libraries that numbers depend on, such as ``torch 2.14.1, timm 1.0.31``."""
    return ", ".join(f"{name} {version(name)}" for name in LIBRARIES)


def of_model(
    model: Any, data_hash: str, preprocessing: str, seed: int = 0, photographs: bool = False
) -> dict[str, Any]:
    """The columns that every row of an experiment on ``model`` (a registry.Model) carries. ``photographs``: whether the
    images are such, and not rendered; ``crop``: the side of the central square of an image that the model saw, over the
    image's shorter side."""
    return {
        "model": model.spec.name,
        "architecture": f"{model.spec.source}/{model.spec.architecture}",
        "family": model.spec.family,
        "random_weights": model.spec.random,
        "weights": model.weight_hash[:16],
        "data": data_hash[:16],
        "photographs": photographs,
        "preprocessing": preprocessing,
        "input_size": model.spec.input_size,
        "crop": model.spec.crop if preprocessing == "own" else 1.0,
        "seed": seed,
        "training_seed": model.spec.seed,
        "device": model.device.type,
        "dtype": str(next(model.module.parameters()).dtype).removeprefix("torch."),
        "libraries": versions(),
    }
