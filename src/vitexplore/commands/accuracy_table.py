"""The table that people read: accuracy of each model on each kind of image, in percent."""

import argparse
from pathlib import Path

from vitexplore.experiments.accuracy import accuracy_table
from vitexplore.io import read_tables, write_atomically

KINDS = ("condition", "fill", "along", "filter", "strength")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", type=Path, nargs="+", help="what `background` or `low_pass` wrote")
    parser.add_argument("--out", type=Path, required=True, help="CSV: model, size, kind of image, top1, top2, top5, n")


def run(args: argparse.Namespace) -> None:
    ranks = read_tables(args.tables)
    table = accuracy_table(ranks, ["model", "size", *(column for column in KINDS if column in ranks)])
    write_atomically(args.out, lambda path: table.to_csv(path, index=False, float_format="%.2f"))
