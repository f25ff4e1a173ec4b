"""Draw what `visualize_sites` made: one row a recipe and site, one column a feature."""

import argparse
from pathlib import Path

import pandas as pd

from vitexplore import plots


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", type=Path, help="what `visualize_sites` wrote")
    parser.add_argument("--figure", type=Path, required=True)


def run(args: argparse.Namespace) -> None:
    table = pd.read_parquet(args.table)
    title = f"{table['model'].iloc[0]}, {table['depth'].iloc[0]} block ({table['block'].iloc[0]})"
    plots.save(plots.visualization_sheet(table, title), args.figure)
