"""List the models that have names, with their family, input size and sites."""

import argparse

from rich.console import Console
from rich.table import Table

from vitexplore.commands.common import add_example
from vitexplore.models.catalogue import catalogue


def configure(parser: argparse.ArgumentParser) -> None:
    add_example(parser, "vitexplore models --like swin")
    parser.add_argument("--like", default="", help="only names that contain this")


def run(args: argparse.Namespace) -> None:
    found = catalogue()
    found = found[found["name"].str.contains(args.like, regex=False)]
    table = Table("name", "family", "pixels", "blocks", "sites")
    for row in found.itertuples():
        table.add_row(row.name, row.family, str(row.input_size), str(row.blocks), row.sites)
    console = Console()
    console.print(table, width=console.width if console.is_terminal else 160)
