"""The table that people read: accuracy of each model on each condition, in percent."""

import argparse
from pathlib import Path

import pandas as pd

from vitexplore.experiments.background import accuracy_table
from vitexplore.io import read_tables, write_atomically


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", type=Path, nargs="+", help="what `background` wrote, one a model")
    parser.add_argument("--out", type=Path, required=True, help="CSV: model, condition, top1, top2, top5, n")


def run(args: argparse.Namespace) -> None:
    ranks = read_tables(args.tables)
    tables = [accuracy_table(mine).assign(model=model) for model, mine in ranks.groupby("model", sort=False)]
    table = pd.concat(tables, ignore_index=True)[["model", "condition", "top1", "top2", "top5", "n"]]
    write_atomically(args.out, lambda path: table.to_csv(path, index=False, float_format="%.2f"))
