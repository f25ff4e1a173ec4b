"""Draw what `visualize_sites` made: a sheet for each table, one row a recipe and site, one column a feature."""

import argparse
from pathlib import Path

import pandas as pd

from vitexplore import plots


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", type=Path, nargs="+", help="what `visualize_sites` wrote")
    parser.add_argument("--figures", type=Path, nargs="+", required=True, help="PNGs, one a table, in the same order")


def run(args: argparse.Namespace) -> None:
    for path, figure in zip(args.tables, args.figures, strict=True):
        table = pd.read_parquet(path)
        title = f"{table['model'].iloc[0]}, {table['depth'].iloc[0]} block ({table['block'].iloc[0]})"
        plots.save(plots.visualization_sheet(table, title), figure)
