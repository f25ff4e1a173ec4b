"""Time the claims on Table 1, and take their memory, on tables of the paper's size: ranks of 50,000 images at 24 x 24
positions, of each model that takes part at the scale `paper`.

The ranks are drawn, not measured: right as often as the paper's ViT is. A claim is decided in a process of its own, as
in the workflow; what reading the tables takes counts.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

from vitexplore.claims.decide import claim_rows, run_analysis
from vitexplore.claims.text import SCHEMA, read_claim
from vitexplore.graph import CHECKOUT, Graph
from vitexplore.io import read_tables, write_table
from vitexplore.progress import meter
from vitexplore.scale import read
from vitexplore.tools.benching import reached, write_bench
from vitexplore.tools.timing import timed

CLAIMS = ("isolated_cls", "head_on_patches")
SCALE = CHECKOUT / "workflow/scales/paper.yaml"
IMAGES, CLASSES, GRID, BLOCKS = 50_000, 1000, (24, 24), 12
ACCURACY = {  # about Table 1's
    "natural": 0.84,
    "isolated_cls": 0.79,
    "cls_only": 0.71,
    "head_on_patch": 0.76,
    "head_on_patch_before": 0.1,
    "head_on_random_patch": 0.76,
    "head_on_mean_patch": 0.83,
    "head_on_mean_token": 0.83,
    "exchanged_cls": 0.5,
    "exchanged_patch": 0.01,
    "exchanged_patch_before": 0.001,
}
SECONDS, MEGABYTES = 120.0, 4000.0  # the bars of each claim


def bench(device: str, threads: int, out: Path, bars: Path) -> None:
    """Write two CSV files: a row for each claim, and what was to be reached. No model runs: ``device`` and ``threads``
    are of no account."""
    graph = Graph(read(SCALE))
    names = graph.models("token_mixing")
    rows = []
    with TemporaryDirectory() as folder, meter("bench", len(names) + len(CLAIMS), "steps") as tell:
        paths = [Path(folder) / f"{name}.parquet" for name in names]
        for number, (name, path) in enumerate(zip(names, paths, strict=True)):
            spec = graph.spec(name)
            write_table(path, drawn(spec.random, np.random.default_rng(number)), provenance(spec))
            tell(1)
        for claim in CLAIMS:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own:
                seconds, peak = own.submit(decided, claim, paths).result()
            rows.append({"claim": claim, "models": len(names), "images": IMAGES, "seconds": seconds, "peak_mb": peak})
            tell(1)
    table = pd.DataFrame(rows)
    write_bench(table, out, against_bars(table), bars)


def drawn(random: bool, rng: np.random.Generator, images: int = IMAGES, grid: tuple[int, int] = GRID) -> pd.DataFrame:
    """A table `token_mixing` of one model; that of a ``random`` one is at chance."""
    return pd.DataFrame(_rows(random, rng, images, grid))


def _rows(random: bool, rng: np.random.Generator, images: int, grid: tuple[int, int]) -> Iterator[dict[str, Any]]:
    height, width = grid
    places = dict.fromkeys(("isolated_cls", "cls_only"), BLOCKS + 1)
    of_patches = [each for each in ACCURACY if each.startswith(("head_on_patch", "exchanged_patch"))]
    places |= dict.fromkeys(of_patches, height * width)
    for surgery, accuracy in ACCURACY.items():
        for at in range(places.get(surgery, 1)):
            rank = rng.integers(1, CLASSES, images, dtype=np.int16)
            rank[rng.random(images) < (1 / CLASSES if random else accuracy)] = 0
            row = {"surgery": surgery, "at": at, "rank": rank, "classes": CLASSES}
            yield row | {"grid_height": height, "grid_width": width}


def provenance(spec: Any) -> dict[str, Any]:
    """The columns of provenance.py that analyses read, of a model's ``spec``."""
    return {
        "model": spec.name,
        "architecture": f"{spec.source}/{spec.architecture}",
        "input_size": spec.input_size,
        "photographs": True,
        "family": spec.family,
        "random_weights": spec.random,
        "training_seed": spec.seed,
        "weights": "",
    }


def decided(claim: str, paths: Sequence[Path]) -> tuple[float, float]:
    """Seconds that the claim's decision takes, and the peak of this process's memory meanwhile, in MB."""
    text = read_claim(CHECKOUT / "analyses" / claim, CHECKOUT / SCHEMA)

    def decide() -> None:
        table = read_tables(paths)
        claim_rows(text, run_analysis(text, table), table)

    return timed(decide, torch.device("cpu"))


def against_bars(table: pd.DataFrame) -> pd.DataFrame:
    """Columns what, bar, measured, reached."""
    wanted = []
    for row in table.itertuples():
        wanted += [
            (f"{row.claim} on 50,000 images: {SECONDS:.0f} seconds over those it takes", 1.0, SECONDS / row.seconds),
            (f"{row.claim} on 50,000 images: 4 GB over the memory it takes", 1.0, MEGABYTES / row.peak_mb),
        ]
    return reached(wanted)
