"""Run a scale from end to end: the workflow, the report, the claims table."""

import argparse
import re
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from vitexplore.commands import report
from vitexplore.commands.report import add_workflow, results_folder, snakemake

LAST = 6  # lines of Snakemake's output that say why it did not start


def configure(parser: argparse.ArgumentParser) -> None:
    add_workflow(parser)
    parser.add_argument("--cores", default="all")


def progress(lines: Iterable[str], clock=time.monotonic) -> Iterator[str]:
    """From Snakemake's output, a line for each job that starts: how many are done, the time left at the pace so
    far, the rule and its wildcards. Errors of jobs pass through."""
    began, done, total, rule = clock(), 0, 0, ""
    for line in lines:
        if found := re.match(r"total\s+(\d+)", line):
            total = int(found[1])
        elif found := re.match(r"(\d+) of \d+ steps", line):
            done = int(found[1])
        elif found := re.match(r"(?:local)?rule (\w+):", line):
            rule = found[1]
        elif line.startswith("error: "):
            yield line.rstrip()
        elif rule and line.startswith("    resources:"):  # the last that Snakemake says of a job that starts
            minutes = (clock() - began) / 60
            left = f"about {minutes / done * (total - done):.1f} min left" if done else "starting"
            yield f"[{done}/{total} done, {left}] {rule}"
            rule = ""
        elif rule and (found := re.match(r"\s+wildcards: (.+)", line)):
            rule += " " + " ".join(part.partition("=")[2] for part in found[1].split(", "))


def remember(lines: Iterable[str], last: deque[str]) -> Iterator[str]:
    """Pass ``lines`` on; ``last`` keeps what Snakemake said in the end, should no job have failed."""
    for line in lines:
        last.append(line)
        yield line


def first_error(logs: Path, since: float) -> str | None:
    """The earliest error line that a job of this run has left in its log."""
    fresh = sorted((path.stat().st_mtime, path) for path in logs.glob("*.log") if path.stat().st_mtime >= since)
    for _, path in fresh:
        for line in path.read_text().splitlines():
            if "error: " in line:
                return line[line.index("error: ") :]
    return None


def run(args: argparse.Namespace) -> int:
    console, began = Console(soft_wrap=True, highlight=False), time.time()
    command = [*snakemake(args), "--cores", args.cores, "--rerun-incomplete", "--scheduler", "greedy"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        for line in progress(remember(running.stdout, last := deque(maxlen=LAST))):
            console.print(line, markup=False)
    folder = results_folder(args)
    if running.returncode:
        console.print(first_error(folder / "logs", began) or "".join(last).rstrip(), markup=False)
        return running.returncode
    report.run(args)
    console.print(Markdown((folder / "claims.md").read_text()))
    console.print(f"Report: {folder / 'report.html'} ({(time.time() - began) / 60:.1f} minutes)")
    return 0
