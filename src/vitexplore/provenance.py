"""Where a number comes from: model, weights, data, preprocessing, device, library versions, and the code."""

import ast
import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("torch", "torchvision", "timm", "open_clip_torch", "numpy", "pillow")
PACKAGE = Path(__file__).parent


def versions() -> str:
    """The libraries that numbers depend on, such as ``torch 2.14.1, timm 1.0.31``."""
    return ", ".join(f"{name} {version(name)}" for name in LIBRARIES)


def of_model(model: Any, data_hash: str, preprocessing: str, seed: int = 0) -> dict[str, Any]:
    """The columns that every row of an experiment on ``model`` (a registry.Model) carries."""
    return {
        "model": model.spec.name,
        "architecture": f"{model.spec.source}/{model.spec.architecture}",
        "family": model.spec.family,
        "random_weights": model.spec.random,
        "weights": model.weight_hash[:16],
        "data": data_hash[:16],
        "preprocessing": preprocessing,
        "input_size": model.spec.input_size,
        "seed": seed,
        "training_seed": model.spec.seed,
        "device": model.device.type,
        "dtype": str(next(model.module.parameters()).dtype).removeprefix("torch."),
        "libraries": versions(),
    }


@cache
def _imports(path: Path) -> frozenset[Path]:
    """Files of this package that ``path`` imports, directly."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("vitexplore."):
                file = PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py")
                if file.exists():
                    found.add(file)
    return frozenset(found)


def code_files(module: str | Path) -> list[Path]:
    """The file of ``module`` (such as ``commands.locality``, or a path outside the package) and all it imports of
    this package, however far, sorted."""
    start = module if isinstance(module, Path) else PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
    seen: set[Path] = set()
    queue = [start]
    while queue:
        file = queue.pop()
        if file not in seen:
            seen.add(file)
            queue += _imports(file)
    return sorted(seen)


def code_hash(module: str | Path) -> str:
    """A hash of the text of ``code_files(module)``: what a rule must depend on, for a workflow engine does
    not see that an imported module changed."""
    digest = hashlib.sha256()
    for file in code_files(module):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
