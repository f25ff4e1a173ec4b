"""Keep a finished run's claims table, tables and figures in results/reference, and bring README up to date."""

import argparse
import shutil
from pathlib import Path

from vitexplore.errors import InputError
from vitexplore.io import write_atomically, write_text

LARGE = "visualizations_"  # megabytes of near-noise each; the claim's own figure shows a choice of them
BEGIN, END = "<!-- results: generated, do not edit -->", "<!-- end of results -->"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("finished", type=Path, help="results/<scale> of a finished run")
    parser.add_argument("--out", type=Path, required=True, help="the folder to keep it in")
    parser.add_argument("--readme", type=Path, help="bring the results table of this file up to date")


def with_results(readme: str, claims: str) -> str:
    """``readme`` with the claims table between its two marks. Raises InputError where they are missing."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise InputError(f"the README lacks the marks {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{claims}\n{END}{after}"


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
        write_text(args.readme, with_results(args.readme.read_text(), (args.finished / "claims.md").read_text()))


def _copy(source: Path, to: Path) -> None:
    write_atomically(to, lambda path: shutil.copyfile(source, path))
