"""Keep a finished run's claims table, tables and figures in results/reference, and bring README up to date."""

import argparse
import shutil
from pathlib import Path

import pandas as pd

from vitexplore.errors import InputError
from vitexplore.io import write_atomically, write_text

LARGE = "visualizations_"  # megabytes of near-noise each; the claim's own figure shows a choice of them


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("finished", type=Path, help="results/<scale> of a finished run")
    parser.add_argument("--out", type=Path, required=True, help="the folder to keep it in")
    parser.add_argument("--readme", type=Path, help="bring the tables of this file up to date")


def with_table(readme: str, name: str, table: str) -> str:
    """``readme`` with ``table`` between the two marks of ``name``. Raises InputError where they are missing."""
    marks = f"<!-- {name}: generated, do not edit -->", f"<!-- end of {name} -->"
    before, begin, rest = readme.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        raise InputError(f"the README lacks the marks {marks[0]!r} and {marks[1]!r}")
    return f"{before}{begin}\n\n{table.rstrip()}\n\n{end}{after}"


def bench_table(bars: Path) -> str:
    """What the bench measured against its bars, in markdown."""
    lines = ["| what | bar | measured | reached |", "| --- | --- | --- | --- |"]
    for row in pd.read_csv(bars).itertuples():
        lines.append(f"| {row.what} | {row.bar:.2f} | {row.measured:.2f} | {'yes' if row.reached else 'no'} |")
    return "\n".join(lines)


def run(args: argparse.Namespace) -> None:
    if not (args.finished / "claims.csv").exists():
        raise InputError(f"{args.finished}: no claims.csv there; finish a run first")
    for source in [
        args.finished / "claims.csv",
        args.finished / "claims.md",
        *sorted(args.finished.glob("tables/*.csv")),
    ]:
        _copy(source, args.out / source.relative_to(args.finished))
    figures = [path for path in args.finished.glob("figures/*.png") if not path.name.startswith(LARGE)]
    for source in sorted(figures):
        _copy(source, args.out / source.relative_to(args.finished))
    for source in sorted(args.finished.parent.glob("bench/*.csv")):
        _copy(source, args.out / "bench" / source.name)
    if args.readme:
        readme = with_table(args.readme.read_text(), "results", (args.finished / "claims.md").read_text())
        bars = args.out / "bench" / "visualize_bars.csv"
        write_text(args.readme, with_table(readme, "bench", bench_table(bars)) if bars.exists() else readme)


def _copy(source: Path, to: Path) -> None:
    write_atomically(to, lambda path: shutil.copyfile(source, path))
