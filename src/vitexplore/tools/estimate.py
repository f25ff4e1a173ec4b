"""Estimate what a scale asks of a machine, from its models' FLOPs and parameters; nothing is run."""

from collections.abc import Iterable
from typing import Any

import open_clip
import pandas as pd
import timm
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vitexplore.data.imagenet9 import SHOWN
from vitexplore.experiments import Cost, Experiment, Options
from vitexplore.experiments.background import VIEWS
from vitexplore.graph import Graph
from vitexplore.models import lab, variants  # noqa: F401, by which timm knows the lab's architectures
from vitexplore.models.catalogue import catalogue
from vitexplore.models.spec import ModelSpec
from vitexplore.scale import Scale

# float32 with TensorFloat-32 that a data centre's GPU sustains on these models, about a third of its peak
TERAFLOPS = 50.0
IMAGES_PER_SECOND = 2000.0  # read, decoded and resized by 16 cores
Size = tuple[float, int, int]


def estimate(scale: Scale) -> pd.DataFrame:
    """Columns experiment, models, exaflops, reading_hours (at IMAGES_PER_SECOND; it goes on beside the GPU's work),
    weights_gb of the models that take part, gpu_hours (at TERAFLOPS); the last row is of all. Where one job waits for
    neither, the larger of the two hours is what it takes."""
    graph = Graph(scale)
    sizes = {name: size_of(model) for name, model in scale.models.items()}
    table = pd.DataFrame([_row(graph, entry, sizes) for entry in graph.experiments.values()])
    whole = table[["exaflops", "reading_hours"]].sum().to_dict()
    whole |= {"experiment": "all", "models": len(sizes), "weights_gb": _gigabytes(sizes.values())}
    table = pd.concat([table, pd.DataFrame([whole])], ignore_index=True)
    return table.assign(gpu_hours=table["exaflops"] * 1e18 / (TERAFLOPS * 1e12) / 3600)


def _row(graph: Graph, entry: Experiment, sizes: dict[str, Size]) -> dict[str, Any]:
    models = graph.models(entry.name)
    costs = [cost_of(graph.scale, entry, name, sizes[name][2]) for name in models]
    flops = sum(cost.passes * sizes[name][0] for cost, name in zip(costs, models, strict=True))
    return {
        "experiment": entry.name,
        "models": len(models),
        "exaflops": flops / 1e18,
        "reading_hours": sum(cost.reads for cost in costs) / IMAGES_PER_SECOND / 3600,
        "weights_gb": _gigabytes(sizes[name] for name in models),
    }


def cost_of(scale: Scale, entry: Experiment, name: str, side: int) -> Cost:
    """What an experiment asks of a machine for the model ``name``, whose own input size is ``side`` pixels."""
    cost = entry.cost(_without(asked(scale, entry), side), scale.models[name].family)
    views = len(SHOWN) / VIEWS if _of_the_challenge(scale, entry) else 1  # it is published with one fill alone
    return Cost(cost.passes * views, cost.reads * views)


def asked(scale: Scale, entry: Experiment) -> Options:
    """The options of an experiment, with no more images than the scale says there are."""
    options, pictures = scale.options(entry.name), scale.pictures(entry)
    images = getattr(options, "images", 0)
    return options.model_copy(update={"images": min(images, pictures)}) if images and pictures else options


def _of_the_challenge(scale: Scale, entry: Experiment) -> bool:
    return scale.photos and scale.photographs(scale.source(entry)).kind == "imagenet9"


def _without(options: Options, side: int) -> Options:
    """``options`` for a model whose own input size is ``side``: where that is the common one it is measured once."""
    if getattr(options, "common_size", None) == side:
        return options.model_copy(update={"common_size": 0})
    return options


def _gigabytes(sizes: Iterable[Size]) -> float:
    """Of weights in float32."""
    return sum(4 * parameters for _, parameters, _ in sizes) / 1e9


def size_of(model: ModelSpec) -> Size:
    """FLOPs of a forward pass of one image (a multiplication with its addition is two), parameters, and the input size
    in pixels; the model is built without memory."""
    with torch.device("meta"):
        module = _build(model)
        tower = getattr(module, "visual", module).eval()
        side = model.input_size or _known_sizes().get((model.source, model.architecture)) or _own_size(tower)
        with FlopCounterMode(display=False) as counter:
            tower(torch.zeros(1, 3, side, side))
    return counter.get_total_flops(), sum(parameter.numel() for parameter in module.parameters()), side


def _build(model: ModelSpec) -> nn.Module:
    if model.source == "open_clip":
        name = model.architecture.partition("/")[0]
        return open_clip.create_model(name, device="meta", force_image_size=model.input_size or None)
    name = model.architecture.partition(".")[0]
    if model.source == "torchvision":
        return torchvision.models.get_model(name, weights=None)
    if name in lab.CLIPS:
        return lab.lab_clip()
    options = {"img_size": model.input_size} if model.input_size and model.family == "vit" else {}
    return timm.create_model(name, **options)


def _known_sizes() -> dict[tuple[str, str], int]:
    return catalogue().set_index(["source", "architecture"])["input_size"].to_dict()


def _own_size(tower: nn.Module) -> int:
    return getattr(tower, "trunk", tower).pretrained_cfg["input_size"][-1]


def to_markdown(table: pd.DataFrame) -> str:
    """What ``estimate`` says, as a table of markdown."""
    lines = ["| experiment | models | EFLOP | GPU hours | reading, hours | weights, GB |", "| --- |" + " ---: |" * 5]
    for row in table.itertuples():
        cells = [row.experiment, row.models, f"{row.exaflops:.1f}", f"{row.gpu_hours:.1f}"]
        cells += [f"{row.reading_hours:.1f}", f"{row.weights_gb:.1f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)
