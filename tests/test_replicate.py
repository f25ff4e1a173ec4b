"""`replicate` and `report`: what a run says of itself, the Snakemake commands, and how a run is stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from vitexplore.errors import InputError
from vitexplore.tools import report
from vitexplore.tools.orphans import RECORDS, end_orphans, recorded, refuse_beside_another
from vitexplore.tools.replicate import at_work, first_error, progress
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
    for name, (when, text) in said.items():
        path = tmp_path / f"{name}.log"
        path.write_text(text)
        os.utime(path, (when, when))
    assert first_error(tmp_path, since=12) == "error: b: first"
    assert first_error(tmp_path, since=40) is None


def test_jobs_at_work_are_those_that_spoke_lately(tmp_path):
    said = {
        "b": (98, "00:01:30 vit early: 69%, 126.5 features/min, 134 s left\n00:01:40 wrote b"),
        "a": (70, "x: 9 s left"),
    }
    said |= {"c": (99, "00:01:20 cnn: 1%, 900 s left\n00:01:30 cnn: 2%, 800 s left\n"), "d": (99, "all is well")}
    for name, (when, text) in said.items():
        path = tmp_path / f"{name}.log"
        path.write_text(text)
        os.utime(path, (when, when))
    assert at_work(tmp_path, now=100) == [
        "b: vit early: 69%, 126.5 features/min, 134 s left",
        "c: cnn: 2%, 800 s left",
    ]
    assert at_work(tmp_path / "none", now=100) == []


def scale(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_command_works_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = Path(__file__).parents[1]
    start = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")]
    assert snakemake_command([], []) == start
    own = scale(tmp_path / "own.yaml", "scale: own")
    assert snakemake_command([own], ["a=1", "b=2"]) == [*start, "--configfile", str(own), "--config", "a=1", "b=2"]


def test_the_last_that_names_a_scale_names_the_results_folder(tmp_path):
    first, second = scale(tmp_path / "1.yaml", "scale: one"), scale(tmp_path / "2.yaml", "scale: two")
    third = scale(tmp_path / "3.yaml", "data: {count: 16}")
    assert results_folder([], []) == Path("results/lab")
    assert results_folder([first, second, third], ["images=x"]) == Path("results/two")
    assert results_folder([first], ["scale=three"]) == Path("results/three")


def test_a_missing_scale_file_is_refused_with_those_that_exist():
    with pytest.raises(InputError, match=r"none\.yaml: no such scale file; there are .*lab\.yaml"):
        snakemake_command([Path("none.yaml")], [])


def test_a_package_outside_a_checkout_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "SNAKEFILE", tmp_path / "Snakefile")
    with pytest.raises(InputError, match="holds no Snakefile: run this in a clone"):
        snakemake_command([], [])


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


SNAKEFILE = """
rule claims:
    output: "results/toy/claims.md"
    shell: "sleep 120; touch {output}"
"""
REPLICATE = """
import signal
import sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts its background without it
from vitexplore.tools.replicate import replicate
sys.exit(replicate([Path("toy.yaml")], [], "1"))
"""


def descendants(run: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(run.pid).children(recursive=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_replicate_that_is_stopped_ends_snakemake_and_its_jobs(tmp_path, number):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/vitexplore").symlink_to(Path(report.__file__).parents[1])  # a checkout with a workflow of its own
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "toy.yaml").write_text("scale: toy")
    options = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(tmp_path / "src")}, "text": True}
    run = subprocess.Popen([sys.executable, "-c", REPLICATE], stdout=subprocess.PIPE, **options)
    until(lambda: any(process.name() == "sleep" for process in descendants(run)))
    started = descendants(run)
    run.send_signal(number)
    assert "stopped; the same command goes on" in run.communicate(timeout=30)[0]
    assert run.returncode == 130
    assert not any(process.is_running() for process in started)
    assert not list((tmp_path / RECORDS).iterdir()) and not list((tmp_path / ".snakemake/locks").glob("*"))


def test_a_run_of_the_command_snakemake_is_found(tmp_path):
    """Not started as ``python -m snakemake``: the system calls such a process ``snakemake``, not Python."""
    program = tmp_path / "snakemake"
    program.write_text(f"#!{sys.executable}\nimport time; time.sleep(120)")
    program.chmod(0o755)
    with subprocess.Popen([program], cwd=tmp_path) as run:
        until(lambda: psutil.Process(run.pid).cmdline())
        assert psutil.Process(run.pid).name() == "snakemake"
        with pytest.raises(InputError, match=f"process {run.pid}"):
            refuse_beside_another(tmp_path)
        run.kill()


def test_jobs_of_a_snakemake_that_lives_are_left_alone(tmp_path):
    (tmp_path / ".snakemake").mkdir()
    program = tmp_path / "snakemake"
    program.write_text("import subprocess; subprocess.run(['sleep', '120'])")
    with subprocess.Popen([sys.executable, str(program)]) as run:
        until(lambda: any(process.name() == "sleep" for process in descendants(run)))
        (job,) = descendants(run)
        with recorded(tmp_path, job.pid):
            assert end_orphans(tmp_path) == [] and job.is_running()
            run.kill()
            run.wait()
            assert end_orphans(tmp_path) == [job.pid]


def test_a_record_that_was_half_written_is_passed_over(tmp_path):
    (tmp_path / RECORDS).mkdir(parents=True)
    (tmp_path / RECORDS / ".host-1.1.json").touch()  # write_atomically's temporary file
    refuse_beside_another(tmp_path)
    assert end_orphans(tmp_path) == []
