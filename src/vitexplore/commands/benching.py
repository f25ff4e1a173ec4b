"""What the benches share: their options, their device, and how their tables are written."""

import argparse
import logging
import os
from pathlib import Path

import pandas as pd
import torch

from vitexplore.io import write_atomically
from vitexplore.models.registry import pick_device

log = logging.getLogger(__name__)


def add_bench(parser: argparse.ArgumentParser, rows: str) -> None:
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, required=True, help=f"CSV: a row for each {rows}")
    parser.add_argument("--bars", type=Path, required=True, help="CSV: what was to be reached, and what was")


def bench_device(args: argparse.Namespace) -> torch.device | None:
    """The device of ``--device``, ready; None, and a sentence in the log, where a GPU is wanted and there is none."""
    torch.set_num_threads(args.threads)
    device = pick_device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        log.info("no GPU here: its part of the bench is skipped")
        return None
    return device


def write_bench(args: argparse.Namespace, table: pd.DataFrame, bars: pd.DataFrame) -> None:
    write_atomically(args.bars, lambda path: bars.to_csv(path, index=False, float_format="%.4f"))
    write_atomically(args.out, lambda path: table.to_csv(path, index=False, float_format="%.4g"))
