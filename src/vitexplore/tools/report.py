"""Snakemake's HTML report of a finished run; refused while the workflow still has something to do."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from vitexplore.errors import InputError
from vitexplore.graph import CHECKOUT

SNAKEFILE = CHECKOUT / "Snakefile"
STYLE = CHECKOUT / "workflow/report/report.css"
LAB = CHECKOUT / "workflow/scales/lab.yaml"


def snakemake_command(configfiles: Sequence[Path], config: Sequence[str]) -> list[str]:
    """The start of a Snakemake command for the scale of ``configfiles`` and ``config`` (KEY=VALUE), the lab where there
    are none. Raises InputError for a file that does not exist, and outside a checkout of the project."""
    if not SNAKEFILE.exists():
        raise InputError(f"{CHECKOUT} holds no Snakefile: run this in a clone of the project, installed from there")
    for path in configfiles:
        if not path.exists():
            known = ", ".join(str(path) for path in sorted((CHECKOUT / "workflow/scales").glob("*.yaml")))
            raise InputError(f"{path}: no such scale file; there are {known}")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE)]
    command += ["--configfile", *map(str, configfiles)] if configfiles else []
    return command + (["--config", *config] if config else [])


def results_folder(configfiles: Sequence[Path], config: Sequence[str]) -> Path:
    """Where the scale's results go: its name is what ``config`` says of it, or the last file that does."""
    given = [word.partition("=")[2] for word in config if word.startswith("scale=")]
    texts = [yaml.safe_load(path.read_text()) or {} for path in configfiles or [LAB]]
    named = [text["scale"] for text in texts if "scale" in text]
    return Path("results") / (given or named or ["lab"])[-1]


def write_report(configfiles: Sequence[Path], config: Sequence[str]) -> Path:
    """Write report.html into the results' folder. Raises InputError where the run is not finished."""
    command = [*snakemake_command(configfiles, config), "--cores", "1"]
    pending = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, check=False)
    if "Nothing to be done" not in pending.stdout + pending.stderr:
        raise InputError("the run is not finished, or its inputs changed since: run snakemake first")
    path = results_folder(configfiles, config) / "report.html"
    command += ["--report", str(path), "--report-stylesheet", str(STYLE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"{path} could not be written: {done.stderr.strip().splitlines()[-1]}")
    return path
