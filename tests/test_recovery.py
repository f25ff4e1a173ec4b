"""What a run that was killed leaves behind is ended; one run at a time in a folder. How the next run goes on:
test_workflow.py."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

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
