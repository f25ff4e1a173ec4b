"""`replicate` and `report`: what a run says of itself, and the Snakemake commands."""

import os
import sys
from pathlib import Path

import pytest

from vitexplore.errors import InputError
from vitexplore.tools import report
from vitexplore.tools.replicate import first_error, progress
from vitexplore.tools.report import results_folder, snakemake_command


def test_progress_says_what_runs_and_how_much_is_left():
    lines = """Job stats:
job      count
-----  -------
total        4

[Sun Nov 22 12:00:00 2026]
localrule scenes:
    output: results/lab/data/images.parquet
    threads: 2
    resources: tmpdir=/tmp
Select jobs to execute...
1 of 4 steps (25%) done
rule experiment:
    wildcards: experiment=locality, model=vit
    resources: tmpdir=/tmp, gpu=0
error: locality: something is wrong
""".splitlines()
    clock = iter([0.0, 60.0, 120.0])
    assert list(progress(lines, lambda: next(clock))) == [
        "[0/4 done, starting] scenes",
        "[1/4 done, about 6.0 min left] experiment locality vit",
        "error: locality: something is wrong",
    ]


def test_the_first_error_is_the_earliest_of_this_run(tmp_path):
    said = {"a": (30, "12:00:02 error: a: late"), "b": (20, "12:00:01 error: b: first\n12:00:01 error: b: second")}
    said |= {"c": (10, "error: c: of an earlier run"), "d": (15, "all is well")}
    for name, (time, text) in said.items():
        path = tmp_path / f"{name}.log"
        path.write_text(text)
        os.utime(path, (time, time))
    assert first_error(tmp_path, since=12) == "error: b: first"
    assert first_error(tmp_path, since=40) is None


def scale(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_command_works_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = Path(__file__).parents[1]
    start = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"), "--configfile"]
    assert snakemake_command([], []) == [*start, str(root / "workflow/scales/lab.yaml")]
    own = scale(tmp_path / "own.yaml", "scale: own")
    assert snakemake_command([own], ["a=1", "b=2"]) == [*start, str(own), "--config", "a=1", "b=2"]


def test_the_last_that_names_a_scale_names_the_results_folder(tmp_path):
    first, second = scale(tmp_path / "1.yaml", "scale: one"), scale(tmp_path / "2.yaml", "scale: two")
    third = scale(tmp_path / "3.yaml", "data: {count: 16}")
    assert results_folder([], []) == Path("results/lab")
    assert results_folder([first, second, third], ["images=x"]) == Path("results/two")
    assert results_folder([first], ["scale=three"]) == Path("results/three")
    with pytest.raises(InputError, match=r"3\.yaml: the key `scale` is missing"):
        results_folder([third], [])


def test_a_missing_scale_file_is_refused_with_those_that_exist():
    with pytest.raises(InputError, match=r"none\.yaml: no such scale file; there are .*lab\.yaml"):
        snakemake_command([Path("none.yaml")], [])


def test_a_package_outside_a_checkout_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "ROOT", tmp_path)
    with pytest.raises(InputError, match="Snakefile is missing: install the package from a checkout"):
        snakemake_command([], [])
