"""A copy of the project, and commands in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SMOKE = ["--configfile", "workflow/scales/smoke.yaml"]
PARTS = ("Snakefile", "environment.yml", "workflow", "analyses", "src")


def copy_of_project(folder: Path) -> Path:
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    return folder


def environment(folder: Path) -> dict[str, str]:
    """For the command line; Snakemake finds the package beside its Snakefile by itself."""
    return {**os.environ, "PYTHONPATH": str(folder / "src")}


def snakemake(folder: Path, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *words]
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


def said(done: subprocess.CompletedProcess) -> str:
    """Snakemake writes dry runs to one stream and runs to the other."""
    return done.stdout + done.stderr
