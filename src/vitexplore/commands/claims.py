"""Join the claims' decisions to one table; claims that the scale does not test are listed as such."""

import argparse
from pathlib import Path

from vitexplore.claims import COLUMNS, claims_table, not_tested, to_markdown
from vitexplore.io import write_atomically, write_text


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="*", help="what `claim` wrote")
    parser.add_argument("--not-tested", nargs="*", default=[], help="claims without a run at this scale")
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--markdown", type=Path, required=True)


def run(args: argparse.Namespace) -> None:
    rows = claims_table(args.files, [not_tested(name, "no run at this scale") for name in args.not_tested])
    write_atomically(args.csv, lambda path: rows.to_csv(path, index=False, columns=COLUMNS, float_format="%.6g"))
    write_text(args.markdown, to_markdown(rows))
