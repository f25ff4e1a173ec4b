"""Join the training curves of the lab's models to one table and one figure."""

import argparse
from pathlib import Path

import pandas as pd

from vitexplore import plots
from vitexplore.io import write_atomically


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("curves", type=Path, nargs="+", help="CSVs beside the shipped weights")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--figure", type=Path, required=True)


def run(args: argparse.Namespace) -> None:
    table = pd.concat([pd.read_csv(path).assign(model=path.stem) for path in args.curves], ignore_index=True)
    figure = plots.lines(
        table.assign(thousands=table["images_seen"] / 1000),
        *("thousands", "validation_top1", "model", "Training of the lab's models"),
        ("images seen, thousands", "top-1 on the validation split"),
    )
    write_atomically(args.out, lambda path: table.to_csv(path, index=False))
    plots.save(figure, args.figure)
