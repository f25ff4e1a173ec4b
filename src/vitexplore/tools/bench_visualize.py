"""Time the visualization engine against the naive way, in one run on one machine.

Three ways: ``naive`` (one feature at a time, the whole model, recipe released), ``batched`` (ours at the same recipe
and steps, many features at once) and ``fast`` (recipe fast, of as many steps as its clean activation takes to reach the
naive way's).
"""

import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from vitexplore.models.catalogue import named
from vitexplore.models.registry import Model, load
from vitexplore.models.sites import Site
from vitexplore.progress import meter
from vitexplore.tools.benching import bench_device, reached, write_bench
from vitexplore.tools.timing import timed
from vitexplore.visualize.naive import NaiveRun
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import Engine, normaliser, visualize
from vitexplore.visualize.recipes import FAST, RELEASED, Recipe

LARGE, LARGE_BLOCKS, LARGE_FEATURES, LARGE_STEPS = "timm/vit_base_patch16_224", (1, 5, 11), 2, 12
LAB, LAB_BLOCKS, LAB_FEATURES = "lab/vit", (1, 4, 7), 16
NAIVE_FEATURES = 4  # of LAB_FEATURES: one after the other, so that each takes as long
SWEEP = (5, 10, 15, 20, 30, 40, 60, 80, 100, 150, 200, 400)  # steps of recipe fast, until it gets there


def bench(device: str, threads: int, out: Path, bars: Path) -> None:
    """Write two CSV files: a row for each model, block and way, and what was to be reached."""
    if not (ready := bench_device(device, threads)):
        return
    with meter("bench", len(LARGE_BLOCKS) + len(LAB_BLOCKS), "blocks") as tell:
        rows = [*large_rows(ready, tell), *lab_rows(ready, tell)]
    table = pd.DataFrame(rows)
    write_bench(table, out, against_bars(table, ready.type), bars)


def large_rows(device: torch.device, tell: Callable[[float], None]) -> list[dict]:
    """ViT-B/16 at 224 pixels with random weights: medians of single steps of both ways in turn."""
    model = load(named(LARGE, weights="random"), device)
    rows = []
    for block in LARGE_BLOCKS:
        naive = NaiveRun(model, model.trunk.blocks[block].mlp.act, model.trunk.num_prefix_tokens, 0)
        objective = Channels(Site("ffn", block), tuple(range(LARGE_FEATURES)))
        engine = Engine(model, RELEASED, 0)
        now = engine.start(objective)
        update = engine.update(now, objective.bind(model))
        ways = {"naive": (naive.step, 1), "batched": (partial(engine.step, now, update), LARGE_FEATURES)}
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(LARGE_STEPS + 1):
            for way, (step, _) in ways.items():
                found[way].append(timed(step, device))
        for way, (_, features) in ways.items():
            seconds, peaks = zip(*found[way][1:], strict=True)  # the first warms up
            step = statistics.median(seconds) / features
            rows.append(row(model, block, way, features, RELEASED.steps, step, None, max(peaks)))
        compare(rows[-2:])
        tell(1)
    return rows


def lab_rows(device: torch.device, tell: Callable[[float], None]) -> list[dict]:
    """lab/vit in full runs."""
    model = load(named(LAB), device)
    rows = []
    for block in LAB_BLOCKS:
        objective = Channels(Site("ffn", block), tuple(range(LAB_FEATURES)))
        goal = objective.take(slice(0, NAIVE_FEATURES))
        images: list[torch.Tensor] = []

        def naively(block: int = block, goal: Channels = goal, images: list = images) -> None:
            for channel in goal.labels:
                one = NaiveRun(model, model.trunk.blocks[block].mlp.act, model.trunk.num_prefix_tokens, channel)
                while one.done < one.steps:
                    one.step()
                images.append(one.image)

        seconds, peak = timed(naively, device)
        clean = clean_activation(model, goal, torch.stack(images))
        step = seconds / NAIVE_FEATURES / RELEASED.steps
        mine = [row(model, block, "naive", 1, RELEASED.steps, step, clean, peak)]
        batched, seconds, peak = full_run(model, objective, RELEASED, device)
        step = seconds / LAB_FEATURES / RELEASED.steps
        mine.append(row(model, block, "batched", LAB_FEATURES, RELEASED.steps, step, batched, peak))
        for steps in SWEEP:
            shown, seconds, peak = full_run(model, objective, replace(FAST, steps=steps), device)
            if shown >= clean:
                break
        mine.append(row(model, block, "fast", LAB_FEATURES, steps, seconds / LAB_FEATURES / steps, shown, peak))
        compare(mine)
        rows += mine
        tell(1)
    return rows


def full_run(model: Model, objective: Channels, recipe: Recipe, device: torch.device) -> tuple[float, float, float]:
    """Clean activation (mean over the features that the naive way has too), seconds, and peak memory in MB."""
    found = []
    seconds, peak = timed(lambda: found.append(visualize(model, objective, recipe, batch=LAB_FEATURES)), device)
    return float(found[0].score[:NAIVE_FEATURES].mean()), seconds, peak


@torch.no_grad()
def clean_activation(model: Model, objective: Channels, images: torch.Tensor) -> float:
    return float(objective.bind(model)(normaliser(model)(images)).mean())


def row(
    model: Model, block: int, way: str, features: int, steps: int, step: float, clean: float | None, peak: float
) -> dict:
    """``step``: seconds a step and feature."""
    return {
        "model": model.spec.name,
        "block": block,
        "way": way,
        "features_at_once": features,
        "steps": steps,
        "seconds_per_step": step,
        "features_per_minute": 60 / (step * steps),
        "clean_activation": clean,
        "peak_mb": peak,
    }


def compare(rows: list[dict]) -> None:
    """``ratio``: features a minute over the first row's."""
    for each in rows:
        each["ratio"] = each["features_per_minute"] / rows[0]["features_per_minute"]


def against_bars(table: pd.DataFrame, device: str) -> pd.DataFrame:
    """Columns what, bar, measured, reached."""
    large, lab = (table[table["model"] == name].set_index(["way", "block"]) for name in (LARGE, LAB))
    block_1, block_11 = (large.loc[("batched", block), "seconds_per_step"] for block in (1, 11))
    clean = lab["clean_activation"].unstack("way")
    wanted = [
        ("ViT-B/16, same recipe: speed over the naive way's", 1.8, large.loc["batched", "ratio"].mean()),
        ("lab/vit, same recipe: speed over the naive way's", 3.0, lab.loc["batched", "ratio"].mean()),
        (
            "lab/vit, same recipe: clean activation over the naive way's",
            1.0,
            (clean["batched"] / clean["naive"]).mean(),
        ),
        ("lab/vit, recipe fast: speed over the naive way's", 4.0, lab.loc["fast", "ratio"].mean()),
        ("ViT-B/16: a step at block 11 over one at block 1", 1 / 0.35, block_11 / block_1),
    ]
    if device == "cuda":
        wanted.append(
            ("lab/vit, recipe fast: features a minute over the naive way's", 20.0, lab.loc["fast", "ratio"].mean())
        )
    return reached(wanted)
