"""Run a scale from end to end: the workflow, the report, the claims table."""

import argparse
import subprocess
import time
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from vitexplore.commands import report
from vitexplore.commands.report import add_workflow, results_folder, snakemake


def configure(parser: argparse.ArgumentParser) -> None:
    add_workflow(parser)
    parser.add_argument("--cores", default="all")


def first_error(logs: Path, since: float) -> str | None:
    """The earliest error line that a job of this run has left in its log."""
    fresh = sorted((path.stat().st_mtime, path) for path in logs.glob("*.log") if path.stat().st_mtime >= since)
    for _, path in fresh:
        for line in path.read_text().splitlines():
            if "error: " in line:
                return line[line.index("error: ") :]
    return None


def run(args: argparse.Namespace) -> int:
    console, began = Console(), time.time()
    command = [*snakemake(args), "--cores", args.cores, "--logger", "rich", "--rerun-incomplete"]
    code = subprocess.run(command, check=False).returncode
    folder = results_folder(args)
    if code:
        console.print(first_error(folder / "logs", began) or "error: the workflow stopped; see the lines above")
        return code
    report.run(args)
    console.print(Markdown((folder / "claims.md").read_text()))
    console.print(f"Report: {folder / 'report.html'} ({(time.time() - began) / 60:.1f} minutes)")
    return 0
