"""Jobs that a run leaves behind when it is killed: each records itself while it runs, and the next run ends those whose
run is gone.

A process is known by its number, its start time and its machine: a number alone is given to another process later.
"""

import json
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from vitexplore.errors import InputError
from vitexplore.io import write_json

log = logging.getLogger(__name__)
RECORDS = Path(".snakemake/vitexplore/running")  # in the folder of the run
PATIENCE = 5.0  # seconds between asking a process to end and ending it
SAME = 1.5  # seconds by which two readings of a start time may differ: the boot's, in whole seconds, is part of it


@contextmanager
def recorded(folder: Path, pid: int | None = None) -> Iterator[None]:
    """Record the process ``pid`` (this one if left out) as running in ``folder`` until the block ends. Where Snakemake
    never ran there, nothing is recorded."""
    if not (folder / ".snakemake").is_dir():
        yield
        return
    process = psutil.Process(pid)
    record = folder / RECORDS / f"{socket.gethostname()}-{process.pid}.json"
    write_json(record, {"pid": process.pid, "started": process.create_time(), "host": socket.gethostname()})
    try:
        yield
    finally:
        record.unlink(missing_ok=True)


def end_orphans(folder: Path) -> list[int]:
    """End the recorded processes of ``folder`` that still run on this machine, with all that they started, and forget
    those that do not. Jobs of a Snakemake that lives are its own to end. Returns the ended processes' numbers."""
    ended = []
    for path, record in _records(folder):
        if record["host"] != socket.gethostname():
            continue
        if process := _alive(record):
            if any(map(_is_snakemake, process.parents())):
                continue
            log.info("ending process %d, which an earlier run left behind", process.pid)
            _end(process)
            ended.append(process.pid)
        path.unlink(missing_ok=True)
    return ended


def refuse_beside_another(folder: Path) -> None:
    """Raises InputError where a Snakemake that is none of ``end_orphans``'s is at work in ``folder``: its jobs and its
    lock are not ours to end."""
    ours = {process.pid for _, record in _records(folder) if (process := _alive(record))}
    ours |= {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid not in ours and _is_snakemake(process) and Path(process.cwd()) == folder.resolve():
                raise InputError(
                    f"another run (process {process.pid}) is at work in {folder.resolve()}; wait for it, or end it"
                )


def _is_snakemake(process: psutil.Process) -> bool:
    """Whether it is a Python that runs Snakemake, as a module or as a script."""
    try:
        python, *words = process.cmdline() or [""]  # nothing of a process that has ended
    except psutil.Error:
        return False
    program = next((word for word in words if not word.startswith("-")), "")
    return "python" in Path(python).name and Path(program).name == "snakemake"


def _records(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted((folder / RECORDS).glob("[!.]*.json")):  # a hidden one is half written
        with suppress(FileNotFoundError):  # its process has just ended
            yield path, json.loads(path.read_text())


def _alive(record: dict[str, Any]) -> psutil.Process | None:
    with suppress(psutil.Error):
        process = psutil.Process(record["pid"])
        here = record["host"] == socket.gethostname()
        same = abs(process.create_time() - record["started"]) < SAME
        if here and same and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _end(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        end([*process.children(recursive=True), process])


def end(processes: Sequence[psutil.Process]) -> None:
    """Ask processes to end, and kill those that still live some seconds later."""
    for ask in (psutil.Process.terminate, psutil.Process.kill):
        for process in processes:
            with suppress(psutil.Error):
                ask(process)
        _, processes = psutil.wait_procs(processes, PATIENCE)
