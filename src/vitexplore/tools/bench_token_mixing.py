"""Time the isolation of CLS for every block, with the patches-only prefix shared and without, in one run.

``shared``: each block runs once on the patches alone, then for every k the rest of the model on both
(measures/token_mixing.py). ``separate``: for every k the whole way from the first block. Two models, the lab's ViT
and ViT-B/16, with random weights: they are there for their speed alone.
"""

import statistics
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from vitexplore.measures.token_mixing import isolated_cls
from vitexplore.models.catalogue import named
from vitexplore.models.heads import Head
from vitexplore.models.registry import Model, load
from vitexplore.models.surgery import OpenViT
from vitexplore.tools.benching import bench_device, reached, write_bench
from vitexplore.tools.timing import timed

MODELS = {"lab/vit": 64, "timm/vit_base_patch16_224": 4}  # and the images of a batch
ROUNDS = 3  # of both ways in turn
BAR = 1.5


def bench(device: str, threads: int, out: Path, bars: Path) -> None:
    """Write two CSV files: a row for each model and way, and what was to be reached."""
    if not (ready := bench_device(device, threads)):
        return
    frames = [measure(load(named(name, weights="random"), ready), batch) for name, batch in MODELS.items()]
    table = pd.concat(frames, ignore_index=True)
    write_bench(table, out, against_bars(table), bars)


def separate(vit: OpenViT, tokens: Tensor) -> Tensor:
    """What `isolated_cls` computes, each k from the first block on: [blocks + 1, b, classes]."""
    depth, logits = len(vit.blocks), []
    for k in range(depth + 1):
        cls, patches = (vit.run(part, 0, k) for part in (tokens[:1, : vit.prefix], tokens[:, vit.prefix :]))
        joined = torch.cat([cls.expand(len(tokens), -1, -1), patches], dim=1)
        logits.append(vit.classify(vit.run(joined, k, depth)[:, 0]))
    return torch.stack(logits)


@torch.no_grad()
def measure(model: Model, batch: int) -> pd.DataFrame:
    """Columns model, way, seconds (a batch, for all k; median over ROUNDS), ratio (to separate)."""
    vit = OpenViT(model, Head(model, None))
    size = model.spec.input_size
    tokens = vit.embed(torch.randn(batch, 3, size, size, device=model.device))
    ways: dict[str, Callable[[], Tensor]] = {
        "separate": lambda: separate(vit, tokens),
        "shared": lambda: isolated_cls(vit, tokens),
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, work in ways.items():
            found[way].append(timed(work, model.device)[0])
    table = pd.DataFrame({"way": list(ways), "seconds": [statistics.median(seconds) for seconds in found.values()]})
    return table.assign(model=model.spec.name, ratio=table["seconds"] / table["seconds"].iloc[0])


def against_bars(table: pd.DataFrame) -> pd.DataFrame:
    """Columns what, bar, measured, reached. L blocks allow (L + 1) / ((L + 1) / 2 + 1): 1.64 of 8, 1.73 of 12."""
    what = "isolated CLS for every k, separate passes' time over the shared one's"
    shared = table[table["way"] == "shared"]
    return reached([(f"{row.model}: {what}", BAR, 1 / row.ratio) for row in shared.itertuples()])
