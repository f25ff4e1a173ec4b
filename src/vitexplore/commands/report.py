"""Write Snakemake's HTML report of a finished run; refuses while the workflow still has something to do."""

import argparse
import subprocess
import sys
from pathlib import Path

import yaml

from vitexplore.errors import InputError


def configure(parser: argparse.ArgumentParser) -> None:
    add_workflow(parser)


def add_workflow(parser: argparse.ArgumentParser) -> None:
    """Options that stand for a scale, as Snakemake has them."""
    parser.add_argument("--configfile", type=Path, default=Path("workflow/scales/lab.yaml"))
    parser.add_argument("--config", nargs="*", default=[], metavar="KEY=VALUE")


def snakemake(args: argparse.Namespace) -> list[str]:
    """The start of a Snakemake command for the scale of ``args``. Raises InputError for a scale file that
    does not exist."""
    if not args.configfile.exists():
        known = ", ".join(str(path) for path in sorted(Path("workflow/scales").glob("*.yaml")))
        raise InputError(f"{args.configfile}: no such scale file; there are {known}")
    command = [sys.executable, "-m", "snakemake", "--configfile", str(args.configfile)]
    return command + (["--config", *args.config] if args.config else [])


def results_folder(args: argparse.Namespace) -> Path:
    return Path("results") / yaml.safe_load(args.configfile.read_text())["scale"]


def run(args: argparse.Namespace) -> None:
    command = [*snakemake(args), "--cores", "1"]
    pending = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, check=False)
    if "Nothing to be done" not in pending.stdout + pending.stderr:
        raise InputError("the run is not finished, or its inputs changed since: run snakemake first")
    path = results_folder(args) / "report.html"
    done = subprocess.run([*command, "--report", str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"{path} could not be written: {done.stderr.strip().splitlines()[-1]}")
