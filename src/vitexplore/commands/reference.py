"""Keep a finished run's claims table, tables and figures in results/reference, and bring README up to date."""

import argparse
import shutil
from pathlib import Path

import pandas as pd

from vitexplore.errors import InputError
from vitexplore.io import write_atomically, write_text
from vitexplore.paper import CATALOGUE

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


def bench_table(bench: Path) -> str:
    """What the benches measured against their bars (``*_bars.csv`` of the folder ``bench``), in markdown."""
    lines = ["| what | bar | measured | reached |", "| --- | --- | --- | --- |"]
    for row in pd.concat([pd.read_csv(path) for path in sorted(bench.glob("*_bars.csv"))]).itertuples():
        lines.append(f"| {row.what} | {row.bar:.3f} | {row.measured:.3f} | {'yes' if row.reached else 'no'} |")
    return "\n".join(lines)


def models_table() -> str:
    """The paper's models and where they live now, in markdown."""
    table = pd.read_csv(CATALOGUE, keep_default_na=False)
    lines = ["| the paper's | here | pixels | differs |", "| --- | --- | ---: | --- |"]
    for row in table[table["paper_name"] != ""].itertuples():
        lines.append(f"| {row.paper_name} | `{row.name}` | {row.input_size} | {row.differs} |")
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
        if list((args.out / "bench").glob("*_bars.csv")):
            readme = with_table(readme, "bench", bench_table(args.out / "bench"))
        write_text(args.readme, with_table(readme, "models", models_table()))


def _copy(source: Path, to: Path) -> None:
    write_atomically(to, lambda path: shutil.copyfile(source, path))
