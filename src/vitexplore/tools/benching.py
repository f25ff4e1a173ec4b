"""What the benches share: their device, and how their tables are written."""

import logging
from pathlib import Path

import pandas as pd
import torch

from vitexplore.errors import InputError
from vitexplore.graph import Graph
from vitexplore.io import write_atomically
from vitexplore.models.registry import Model, load, pick_device
from vitexplore.threads import use_threads

log = logging.getLogger(__name__)


def bench_device(device: str, threads: int) -> torch.device | None:
    """The device of that name, ready; None, and a sentence in the log, where a GPU is wanted and there is none."""
    use_threads(threads)
    found = pick_device(device)
    if found.type == "cuda" and not torch.cuda.is_available():
        log.info("no GPU here: its part of the bench is skipped")
        return None
    return found


def loaded(graph: Graph, name: str) -> Model:
    """A model of the scale of photographs. Raises InputError where the scale is another."""
    if name not in graph.scale.models:
        raise InputError(
            f"scale {graph.scale.scale} has no model {name}; run the bench with workflow/scales/photos.yaml"
        )
    return load(graph.spec(name))


def reached(wanted: list[tuple[str, float, float]]) -> pd.DataFrame:
    """What was to be reached, and what was: columns what, bar, measured, reached."""
    found = pd.DataFrame(wanted, columns=["what", "bar", "measured"])
    return found.assign(reached=found["measured"] >= found["bar"])


def write_bench(table: pd.DataFrame, out: Path, reached: pd.DataFrame, bars: Path) -> None:
    """Write both as CSV: ``table`` to ``out``, ``reached`` to ``bars``."""
    write_atomically(bars, lambda path: reached.to_csv(path, index=False, float_format="%.4f"))
    write_atomically(out, lambda path: table.to_csv(path, index=False, float_format="%.4g"))
