"""Time the collection of activations against the bare forward pass, in one run on one machine.

Three ways over the same images: ``forward`` (the model alone), ``one_pass`` (the first pass of `collect`, for all
features of all blocks' feed-forwards) and ``pass_per_block`` (the same for one block after the other, each pass ending
at its block). Two models: the lab's ViT on scenes in memory, and ViT-S/16 with random weights on photographs made up as
JPEG files: it is there for its speed alone.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from PIL import Image

from vitexplore.activations.collect import stream, widths
from vitexplore.commands.benching import add_bench, bench_device, write_bench
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import preprocessed
from vitexplore.data.photos import folder_of_photos
from vitexplore.data.scene_sets import scene_set
from vitexplore.models.catalogue import named
from vitexplore.models.registry import Model, load
from vitexplore.models.sites import Site, sites
from vitexplore.timing import timed

LAB, SCENES, LAB_BATCH = "lab/vit", 1000, 100
SMALL, PHOTOS, SMALL_BATCH = "timm/vit_small_patch16_224", 96, 32
SIDE = 224  # of a photograph, in pixels
KEPT = 10  # images for each feature
ROUNDS = 3  # of all ways in turn


def configure(parser: argparse.ArgumentParser) -> None:
    add_bench(parser, "model and way")


def run(args: argparse.Namespace) -> None:
    if not (device := bench_device(args)):
        return
    with TemporaryDirectory() as folder:
        photographs(Path(folder), PHOTOS)
        rows = [
            *measure(load(named(LAB), device), scene_set("test", SCENES), LAB_BATCH),
            *measure(load(named(SMALL, weights="random"), device), folder_of_photos(Path(folder)), SMALL_BATCH),
        ]
    table = pd.DataFrame(rows)
    write_bench(args, table, bars(table))


def photographs(folder: Path, count: int) -> None:
    """JPEG files of coloured blotches and noise, SIDE pixels wide and high."""
    rng = np.random.default_rng(0)
    for number in range(count):
        blotches = Image.fromarray(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8)).resize((SIDE, SIDE))
        noisy = np.asarray(blotches) + rng.normal(0, 8, (SIDE, SIDE, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.jpeg")


def measure(model: Model, images: ImageSet, batch: int) -> list[dict]:
    """A row for each way: medians over ROUNDS of all ways in turn, after a short warm-up."""
    everything = np.arange(len(images))
    layout = widths(model, [Site("ffn", block) for block in range(sites(model)["ffn"])])

    def per_block() -> None:
        for site, width in layout.items():
            stream(model, images, everything, {site: width}, KEPT, batch=batch)

    ways: dict[str, Callable[[], object]] = {
        "forward": lambda: forward(model, images, everything, batch),
        "one_pass": lambda: stream(model, images, everything, layout, KEPT, batch=batch),
        "pass_per_block": per_block,
    }
    stream(model, images, everything[:batch], layout, KEPT, batch=batch)
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, work in ways.items():
            found[way].append(timed(work, model.device))
    speeds = {way: len(images) / statistics.median(seconds for seconds, _ in runs) for way, runs in found.items()}
    return [
        {
            "model": model.spec.name,
            "way": way,
            "images_per_second": speed,
            "ratio": speed / speeds["forward"],
            "peak_mb": max(peak for _, peak in found[way]),
        }
        for way, speed in speeds.items()
    ]


@torch.no_grad()
def forward(model: Model, images: ImageSet, indices: np.ndarray, batch: int) -> None:
    for _, pictures in preprocessed(model.spec, images, indices, "own", batch):
        model.trunk(pictures.to(model.device))


def bars(table: pd.DataFrame) -> pd.DataFrame:
    """Columns what, bar, measured, reached."""
    wanted = []
    for name, speed in table.pivot(index="model", columns="way", values="images_per_second").iterrows():
        wanted += [
            (f"{name}: one pass for all blocks, speed over the forward pass's", 0.85, speed.one_pass / speed.forward),
            (f"{name}: its speed over that of a pass for each block", 5.0, speed.one_pass / speed.pass_per_block),
        ]
    found = pd.DataFrame(wanted, columns=["what", "bar", "measured"])
    return found.assign(reached=found["measured"] >= found["bar"])
