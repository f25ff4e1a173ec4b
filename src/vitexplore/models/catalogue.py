"""The models that have names: the lab's, those in packages, and the paper's (section 3 and appendix) by their full
weight tags.

Imports torch and pandas where they are used: the command line and scales start without."""

import difflib
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from vitexplore.errors import InputError
from vitexplore.models.packaged import PACKAGED
from vitexplore.models.spec import SOURCES, ModelSpec

if TYPE_CHECKING:
    import pandas as pd

    from vitexplore.models.registry import Model

SIDES = {"vit": 384, "clip": 224, "cnn": 224}  # pixels, of the paper's main models


@cache
def catalogue() -> "pd.DataFrame":
    """Columns name, paper_name (empty for other models), source, architecture, family, input_size (pixels), blocks,
    sites, differs (from the paper's weights, empty where they are those)."""
    import pandas as pd

    with (resources.files("vitexplore") / "models" / "catalogue.csv").open() as file:
        return pd.read_csv(file, keep_default_na=False)


def named(name: str, **changes: Any) -> ModelSpec:
    """The spec of ``lab/vit``, ``packaged/vit_s_focus``, ``timm/TAG``, ``open_clip/ARCHITECTURE/TAG`` or
    ``torchvision/NAME.TAG``, in the catalogue or not, with ``changes``. A name without a source, such as ``resnet50``,
    is looked for in timm, then in torchvision, and gets the library's default tag where it has none. Raises InputError
    for any other name, with the nearest ones."""
    if name in PACKAGED:
        by_name = {"match": "name"} if "weights" in changes else {}  # the order is that of the package's file alone
        return replace(PACKAGED[name], **by_name, **changes)
    known = catalogue().set_index("name")
    if name in known.index:
        row = known.loc[name]
        return ModelSpec(name, row["source"], row["architecture"], row["family"], **changes)
    if "/" not in name:
        name = _in_library(name) or name
    source, _, architecture = name.partition("/")
    if source not in SOURCES or source == "lab" or not architecture:
        raise InputError(f"no model {name!r}; nearest names: {_nearest(name)}; see `vitexplore models`")
    return ModelSpec(name, source, architecture, _family(source, architecture), **changes)


def paper_side(spec: ModelSpec) -> int:
    """Side in pixels of the images that the paper shows to such a model: the listed input size of its architecture,
    whatever the weights; for one that the paper has not, its family's in SIDES (paper section 3 and appendix)."""
    table = catalogue()
    same = table["architecture"].str.partition(".")[0] == spec.architecture.partition(".")[0]
    sides = table["input_size"][same & (table["source"] == spec.source) & (table["paper_name"] != "")]
    return int(sides.iloc[0]) if len(sides) else SIDES[spec.family]


def load_named(name: str, device: str = "auto", **changes: Any) -> "Model":
    """The model of ``named``, built with its weights on ``device`` (auto takes the GPU where there is one)."""
    from vitexplore.models.registry import load, pick_device

    return load(named(name, **changes), pick_device(device))


def _in_library(name: str) -> str:
    """The full name of the model that timm, else torchvision, has by ``name``; empty where neither has."""
    import timm
    import torchvision

    architecture, _, tag = name.partition(".")
    if timm.is_model(architecture) and (not tag or name in timm.list_pretrained()):
        default = timm.get_pretrained_cfg(architecture).tag
        return f"timm/{name}.{default}" if default and not tag else f"timm/{name}"
    if architecture in torchvision.models.list_models():
        weights = torchvision.models.get_model_weights(architecture)
        if not tag or tag in weights.__members__:
            return f"torchvision/{architecture}.{tag or weights.DEFAULT.name}"
    return ""


def _nearest(name: str) -> str:
    """Up to three names like ``name``, with or without its source: of the catalogue, and of the libraries."""
    import timm
    import torchvision

    listed = list(catalogue()["name"])
    known = {each: each for each in (*timm.list_models(pretrained=True), *torchvision.models.list_models(), *listed)}
    known |= {each.partition("/")[2]: each for each in listed}
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.2)
    return ", ".join(dict.fromkeys(known[each] for each in near)) or "lab/vit"


def _family(source: str, architecture: str) -> str:
    """By the architecture, built without memory or weights."""
    import timm
    import torch

    from vitexplore.models.families import TRANSFORMERS

    if source == "open_clip":
        return "clip"
    if source == "torchvision" or not timm.is_model(architecture.partition(".")[0]):
        return "cnn"  # an unknown name is refused where it is built
    with torch.device("meta"):
        module = timm.create_model(architecture.partition(".")[0], pretrained=False)
    return "vit" if isinstance(module, TRANSFORMERS) else "cnn"
