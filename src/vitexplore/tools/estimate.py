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

from vitexplore.experiments import Experiment, Options
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
    models, options = graph.models(entry.name), graph.scale.options(entry.name)
    options = _of_those_there(options, graph.scale.pictures(entry))
    costs = [entry.cost(_without(options, sizes[name][2]), graph.scale.models[name].family) for name in models]
    flops = sum(cost.passes * sizes[name][0] for cost, name in zip(costs, models, strict=True))
    return {
        "experiment": entry.name,
        "models": len(models),
        "exaflops": flops / 1e18,
        "reading_hours": sum(cost.reads for cost in costs) / IMAGES_PER_SECOND / 3600,
        "weights_gb": _gigabytes(sizes[name] for name in models),
    }


def _of_those_there(options: Options, pictures: int | None) -> Options:
    """``options`` for a scale that has no more than so many images; None where that is not known."""
    asked = getattr(options, "images", 0)
    return options.model_copy(update={"images": min(asked, pictures)}) if asked and pictures else options


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
        return open_clip.create_model(model.architecture.partition("/")[0], device="meta")
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
