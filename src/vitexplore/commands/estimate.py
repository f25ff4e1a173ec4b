"""Estimate what a scale asks of a machine, from its models' FLOPs and parameters; nothing is run."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import open_clip
import pandas as pd
import timm
import torch
import torchvision
import yaml
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vitexplore.commands.reference import with_table
from vitexplore.commands.visualize_sites import DEPTHS
from vitexplore.config import experiments_of
from vitexplore.data.filters import CUTOFFS, SIGMAS
from vitexplore.data.masks import FILLS
from vitexplore.io import write_atomically, write_text
from vitexplore.models.catalogue import catalogue
from vitexplore.visualize.recipes import RECIPES

TERAFLOPS = (
    50.0  # float32 with TensorFloat-32 that a data centre's GPU sustains on these models, about a third of its peak
)
IMAGES_PER_SECOND = 2000.0  # read, decoded and resized by 16 cores
# forward passes for each image, and how often it is read
PASSES = {
    "collect": (2, 2),  # over all images, then over the winners: at most all of them
    "embed": (1, 1),
    "locality": (5, 4),  # statistics, measures on the image and on a changed one; attention, twice
    "localization": (1, 1),
    "token_mixing": (9, 1),  # half of depth + 1 for isolated CLS, 12 blocks taken for the mean; CLS alone, exchanged
    "background": (1 + 2 * len(FILLS), 1 + 2 * len(FILLS)),  # cut and resized anew for each view
    "low_pass": (1 + len(CUTOFFS) + len(SIGMAS), 1),
    "concepts": (1, 2),  # the detail of each picture is measured apart
}
VISUALIZED = ("visualize", "variants", "ablation")
GRADIENT = 2  # a step to the pixels costs two forward passes: weights need no gradients


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scale", type=Path, help="a scale file")
    parser.add_argument("--out", type=Path, required=True, help="CSV: a row an experiment")
    parser.add_argument("--page", type=Path, help="bring the table of this page up to date")


def run(args: argparse.Namespace) -> None:
    config = yaml.safe_load(args.scale.read_text())
    table = estimate(config)
    write_atomically(args.out, lambda path: table.to_csv(path, index=False, float_format="%.4f"))
    if args.page:
        write_text(args.page, with_table(args.page.read_text(), "estimates", to_markdown(table)))


def estimate(config: dict[str, Any]) -> pd.DataFrame:
    """Columns experiment, models, exaflops, gpu_hours (at TERAFLOPS), reading_hours (at IMAGES_PER_SECOND; it goes on
    beside the GPU's work), weights_gb of the models that take part. Where one job waits for neither, the larger of the
    two hours is what it takes."""
    sizes = {name: size_of(model) for name, model in config["models"].items()}
    rows: dict[str, dict[str, Any]] = {}
    for name, model in config["models"].items():
        flops, parameters, side = sizes[name]
        for experiment, passes, reads in work(config, name, model, side):
            row = rows.setdefault(experiment, dict.fromkeys(("models", "exaflops", "reading_hours", "weights_gb"), 0))
            row["models"] += 1
            row["exaflops"] += passes * flops / 1e18
            row["reading_hours"] += reads / IMAGES_PER_SECOND / 3600
            row["weights_gb"] += 4 * parameters / 1e9
    table = pd.DataFrame([{"experiment": name, **row} for name, row in rows.items()])
    table["gpu_hours"] = table["exaflops"] * 1e18 / (TERAFLOPS * 1e12) / 3600
    whole = table.drop(columns=["experiment", "models"]).sum()
    parameters = sum(size for _, size, _ in sizes.values())
    total = {"experiment": "all", "models": len(sizes), **whole, "weights_gb": 4 * parameters / 1e9}
    return pd.concat([table, pd.DataFrame([total])], ignore_index=True)


def work(config: dict[str, Any], name: str, model: dict[str, Any], side: int) -> Iterator[tuple[str, float, float]]:
    """For each experiment of ``model``: its name, how many forward passes of one image it takes, how many reads."""
    wanted = list(experiments_of(model)) + (["embed"] if name in config["judges"].values() else [])
    for experiment in wanted:
        if experiment in VISUALIZED:
            yield experiment, visualization_passes(config[experiment], model), config[experiment]["images"]
            continue
        budget = config["collect" if experiment == "embed" else experiment]
        passes, reads = PASSES[experiment]
        sizes = 1 if model["family"] == "clip" or budget.get("common_size", side) == side else 2
        yield experiment, sizes * passes * budget["images"], sizes * reads * budget["images"]


def visualization_passes(wanted: dict[str, Any], model: dict[str, Any]) -> float:
    sites = len(wanted.get("sites", ())) or (1 if model["family"] == "cnn" else 4)
    runs = wanted["features"] * sites * wanted["seeds"] * (1 + len(wanted.get("left_out", ())))
    steps = 0.0
    for change in wanted["recipes"]:
        recipe = RECIPES[change["name"]]
        steps += change.get("steps", recipe.steps) * change.get("copies", recipe.copies)
    return runs * steps * GRADIENT * sum(DEPTHS[depth] for depth in wanted["depths"]) + wanted["images"]


def size_of(model: dict[str, Any]) -> tuple[float, int, int]:
    """FLOPs of a forward pass of one image (a multiplication with its addition is two), parameters, and the
    input size in pixels; the model is built without memory."""
    architecture, source = model["architecture"], model["source"]
    with torch.device("meta"):
        module = _build(source, architecture)
        known = catalogue().set_index(["source", "architecture"])["input_size"]
        side = model.get("input_size") or int(known.get((source, architecture), 0)) or _own_size(module)
        tower = getattr(module, "visual", module).eval()
        with FlopCounterMode(display=False) as counter:
            tower(torch.zeros(1, 3, side, side))
    return counter.get_total_flops(), sum(parameter.numel() for parameter in module.parameters()), side


def _build(source: str, architecture: str) -> nn.Module:
    if source == "open_clip":
        return open_clip.create_model(architecture.partition("/")[0], device="meta")
    if source == "torchvision":
        return torchvision.models.get_model(architecture.partition(".")[0], weights=None)
    return timm.create_model(architecture.partition(".")[0])


def _own_size(module: nn.Module) -> int:
    return module.pretrained_cfg["input_size"][-1]


def to_markdown(table: pd.DataFrame) -> str:
    lines = ["| experiment | models | EFLOP | GPU hours | reading, hours | weights, GB |", "| --- |" + " ---: |" * 5]
    for row in table.itertuples():
        cells = [row.experiment, row.models, f"{row.exaflops:.1f}", f"{row.gpu_hours:.1f}"]
        cells += [f"{row.reading_hours:.1f}", f"{row.weights_gb:.1f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)
