"""Time the collection of activations against the bare forward pass, in one run on one machine.

Three ways over the same images: ``forward`` (the model alone), ``one_pass`` (the first pass of `collect`, for all
features of all blocks' feed-forwards) and ``pass_per_block`` (the same for one block after the other, each pass ending
at its block). Two models: the lab's ViT on scenes in memory, and ViT-S/16 with random weights on photographs made up as
JPEG files: it is there for its speed alone.
"""

import statistics
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from PIL import Image

from vitexplore.activations.collect import stream, widths
from vitexplore.data.loading import Loader
from vitexplore.data.photos import folder_of_photos
from vitexplore.data.scene_sets import scene_set
from vitexplore.models.catalogue import named
from vitexplore.models.registry import Model, load
from vitexplore.models.sites import Site, sites
from vitexplore.tools.benching import bench_device, reached, write_bench
from vitexplore.tools.timing import timed

LAB, SCENES, LAB_BATCH = "lab/vit", 1000, 100
SMALL, PHOTOS, SMALL_BATCH = "timm/vit_small_patch16_224", 96, 32
SIDE = 224  # of a photograph, in pixels
KEPT = 10  # images for each feature
ROUNDS = 3  # of all ways in turn


def bench(device: str, threads: int, out: Path, bars: Path) -> None:
    """Write two CSV files: a row for each model and way, and what was to be reached."""
    if not (ready := bench_device(device, threads)):
        return
    with TemporaryDirectory() as folder:
        photographs(Path(folder), PHOTOS)
        small = load(named(SMALL, weights="random"), ready)
        rows = [
            *measure(load(named(LAB), ready), Loader(scene_set("test", SCENES), batch=LAB_BATCH)),
            *measure(small, Loader(folder_of_photos(Path(folder)), batch=SMALL_BATCH)),
        ]
    table = pd.DataFrame(rows)
    write_bench(table, out, against_bars(table), bars)


def photographs(folder: Path, count: int) -> None:
    """JPEG files of coloured blotches and noise, SIDE pixels wide and high."""
    rng = np.random.default_rng(0)
    for number in range(count):
        blotches = Image.fromarray(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8)).resize((SIDE, SIDE))
        noisy = np.asarray(blotches) + rng.normal(0, 8, (SIDE, SIDE, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.jpeg")


def measure(model: Model, loader: Loader) -> list[dict]:
    """A row for each way: medians over ROUNDS of all ways in turn, after a short warm-up."""
    layout = widths(model, [Site("ffn", block) for block in range(sites(model)["ffn"])])

    def per_block() -> None:
        for site, width in layout.items():
            stream(model, loader, {site: width}, KEPT)

    ways: dict[str, Callable[[], object]] = {
        "forward": lambda: forward(model, loader),
        "one_pass": lambda: stream(model, loader, layout, KEPT),
        "pass_per_block": per_block,
    }
    stream(model, loader, layout, KEPT, slice(0, loader.batch))
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, work in ways.items():
            found[way].append(timed(work, model.device))
    speeds = {way: len(loader) / statistics.median(seconds for seconds, _ in runs) for way, runs in found.items()}
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
def forward(model: Model, loader: Loader) -> None:
    for _, pictures in loader.batches(model.spec):
        model.trunk(pictures.to(model.device))


def against_bars(table: pd.DataFrame) -> pd.DataFrame:
    """Columns what, bar, measured, reached."""
    wanted = []
    for name, speed in table.pivot(index="model", columns="way", values="images_per_second").iterrows():
        wanted += [
            (f"{name}: one pass for all blocks, speed over the forward pass's", 0.85, speed.one_pass / speed.forward),
            (f"{name}: its speed over that of a pass for each block", 5.0, speed.one_pass / speed.pass_per_block),
        ]
    return reached(wanted)
