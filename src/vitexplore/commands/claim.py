"""Decide one claim from an experiment's tables, and draw its figures."""

import argparse
from pathlib import Path

import pandas as pd

from vitexplore import plots
from vitexplore.claims import NotTested, judge, not_tested, read_claim, run_analysis, to_caption
from vitexplore.io import read_tables, write_atomically, write_json, write_text


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="analyses/<claim>")
    parser.add_argument("--schema", type=Path, required=True)
    parser.add_argument("--scale", required=True)
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="the experiment's tables")
    parser.add_argument("--out", type=Path, required=True, help="JSON: a row for each statement")
    parser.add_argument("--table", type=Path, required=True, help="CSV for people")
    parser.add_argument("--caption", type=Path, required=True, help="reStructuredText for the report")
    parser.add_argument("--figures", type=Path, nargs="*", default=[], help="PNGs, named like the analysis's figures")


def run(args: argparse.Namespace) -> None:
    claim = read_claim(args.folder, args.schema)
    try:
        analysis = run_analysis(claim, read_tables(args.tables))
        rows, table, figures = judge(claim, analysis, args.scale), analysis.table, analysis.figures
    except NotTested as reason:
        rows, table, figures = [not_tested(claim.name, str(reason))], pd.DataFrame({"not_tested": [str(reason)]}), {}
    for path in args.figures:
        plots.save(figures.get(path.stem) or plots.message(f"{claim.name}: {rows[0]['statement']}"), path)
    write_atomically(args.table, lambda path: table.to_csv(path, index=False, float_format="%.4f"))
    write_text(args.caption, to_caption(claim, rows))
    write_json(args.out, rows)
