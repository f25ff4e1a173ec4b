"""What a run that was killed leaves behind, and how the next one goes on; one run at a time in a folder."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import yaml
from project import SMOKE, copy_of_project, environment, said

from vitexplore.errors import InputError
from vitexplore.folder_lock import LOCK, held
from vitexplore.tools.orphans import RECORDS, end_orphans, recorded, refuse_beside_another

SLEEP = [sys.executable, "-c", "import time; time.sleep(120)"]


@pytest.fixture
def sleeping() -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts processes that would sleep for two minutes."""
    started = []

    def start(*command: str, **options) -> subprocess.Popen:
        started.append(subprocess.Popen(command or SLEEP, **options))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / ".snakemake").mkdir()
    return tmp_path


def left_behind(folder: Path, process: subprocess.Popen, started: float = 0.0, host: str = "") -> Path:
    record = folder / RECORDS / f"{process.pid}.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    started += psutil.Process(process.pid).create_time()
    record.write_text(json.dumps({"pid": process.pid, "started": started, "host": host or socket.gethostname()}))
    return record


def test_a_process_is_recorded_while_it_runs(folder):
    with recorded(folder):
        (record,) = (folder / RECORDS).iterdir()
        assert json.loads(record.read_text())["pid"] == os.getpid()
    assert not list((folder / RECORDS).iterdir())


def test_where_snakemake_never_ran_nothing_is_recorded(tmp_path):
    with recorded(tmp_path):
        assert not list(tmp_path.iterdir())


def test_what_is_left_behind_is_ended_with_all_that_it_started(folder, sleeping):
    shell = sleeping("bash", "-c", f"{sys.executable} -c 'import time; time.sleep(120)' & wait")
    while not (children := psutil.Process(shell.pid).children()):
        time.sleep(0.02)
    record = left_behind(folder, shell)
    assert end_orphans(folder) == [shell.pid]
    assert not psutil.pid_exists(shell.pid) and not children[0].is_running()
    assert not record.exists()
    assert end_orphans(folder) == []


@pytest.mark.parametrize("other", [{"started": -100.0}, {"host": "another-machine"}])
def test_a_process_that_only_has_the_number_is_left_alone(folder, sleeping, other):
    process = sleeping()
    left_behind(folder, process, **other)
    assert end_orphans(folder) == []
    assert process.poll() is None


def test_a_snakemake_of_somebody_else_in_the_folder_is_not_disturbed(folder, sleeping, tmp_path_factory):
    program = tmp_path_factory.mktemp("bin") / "snakemake"
    program.write_text("import time; time.sleep(120)")
    process = sleeping(sys.executable, str(program), cwd=folder)
    while str(program) not in psutil.Process(process.pid).cmdline():  # until then it is a copy of this process
        time.sleep(0.02)
    with pytest.raises(InputError, match=rf"another run \(process {process.pid}\) is at work in"):
        refuse_beside_another(folder)
    refuse_beside_another(tmp_path_factory.mktemp("elsewhere"))
    left_behind(folder, process)  # one that we started ourselves
    refuse_beside_another(folder)


HOLD = """
import sys, time
from pathlib import Path
from vitexplore.folder_lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(120)
"""


def test_a_folder_that_another_process_holds_is_refused_until_that_is_killed(tmp_path, sleeping):
    process = sleeping(sys.executable, "-c", HOLD, str(tmp_path / "out"), stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with (
        pytest.raises(InputError, match=rf"out is in use by another run \(process {process.pid}\)"),
        held(tmp_path / "out"),
    ):
        pass
    process.kill()
    process.wait()
    with held(tmp_path / "out"):
        assert (tmp_path / "out" / LOCK).read_text() == str(os.getpid())
    assert not list((tmp_path / "out").iterdir())


# claims, and the smoke run's models with what these take
CLAIMS = ["local_until_last", "background", "low_pass"]
TAKE = {
    "vit": ["locality", "background", "low_pass"],
    "vit_random": ["locality"],
    "cnn": ["locality", "background", "low_pass"],
    "clip": ["background"],
}
REPLICATE = ["vitexplore", "replicate", *SMOKE]
SNAKEMAKE = ["snakemake", "--cores", "2", *SMOKE]


def started(folder: Path, words: list[str]) -> subprocess.Popen:
    """A run in a session of its own, when it has finished one more experiment and others are at work."""
    options = {"cwd": folder, "env": environment(folder), "start_new_session": True}
    before = len(tables_of(folder))
    with (folder / "killed.log").open("w") as log:
        run = subprocess.Popen([sys.executable, "-m", *words], stdout=log, stderr=log, **options)
    deadline = time.monotonic() + 300
    while len(tables_of(folder)) == before or not jobs_of(folder):
        assert run.poll() is None and time.monotonic() < deadline, (folder / "killed.log").read_text()
        time.sleep(0.05)
    return run


def tables_of(folder: Path) -> dict[Path, float]:
    """The experiments' tables that are there, and when they were written."""
    tables = (path for experiment in TAKE["vit"] for path in folder.glob(f"results/smoke/{experiment}/[!.]*"))
    return {path: path.stat().st_mtime for path in tables}


def with_few_claims(folder: Path) -> Path:
    """A copy of the project whose smoke run measures but a few of the claims."""
    path = copy_of_project(folder) / "workflow/scales/smoke.yaml"
    scale = yaml.safe_load(path.read_text())
    models = {name: model | {"experiments": TAKE[name]} for name, model in scale["models"].items() if name in TAKE}
    few = scale | {"models": models, "judges": {}, "claims": CLAIMS}
    path.write_text(yaml.safe_dump(few, sort_keys=False))
    return folder


def jobs_of(folder: Path) -> list[psutil.Process]:
    """The recorded jobs that are at work."""
    found = []
    for path in (folder / RECORDS).glob("*.json"):
        with suppress(psutil.Error):  # gone meanwhile
            process = psutil.Process(int(path.stem.rpartition("-")[2]))
            if "job" in process.cmdline():
                found.append(process)
    return found


def killed(run: subprocess.Popen, kill: Callable[[int, int], None], folder: Path) -> dict[Path, float]:
    kill(run.pid, signal.SIGKILL)
    run.wait()
    return tables_of(folder)


@pytest.mark.slow
def test_replicate_goes_on_after_kills_to_the_same_tables(finished, tmp_path):
    """A Snakemake is killed alone, its jobs still at work; then a `replicate` with all that it started; then one whose
    Snakemake is killed, which ends by itself. The fourth run goes to the end."""
    folder = with_few_claims(tmp_path)
    made = killed(started(folder, SNAKEMAKE), os.kill, folder)
    assert jobs_of(folder), "no job was left at work"
    assert list((folder / ".snakemake/locks").iterdir())
    made |= killed(started(folder, REPLICATE), os.killpg, folder)
    run = started(folder, REPLICATE)
    (snakemake,) = [p for p in psutil.Process(run.pid).children() if "snakemake" in p.cmdline()]
    snakemake.kill()
    assert run.wait(30) != 0
    assert not jobs_of(folder)
    made |= tables_of(folder)
    command = [sys.executable, "-m", *REPLICATE]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, said(done)[-3000:]
    now = tables_of(folder)
    again = {path.name for path, written in made.items() if now[path] != written}
    assert len(again) <= 2, f"made again: {again}"  # those that a kill caught while they were being renamed
    tables = [path.relative_to(folder) for path in now]
    assert len(tables) == 6
    tables += [Path(f"results/smoke/tables/claim_{claim}.csv") for claim in CLAIMS]
    assert [name for name in tables if (finished / name).read_bytes() != (folder / name).read_bytes()] == []
    assert not list((folder / RECORDS).iterdir())
