"""One run at a time in a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vitexplore.errors import InputError

LOCK = ".lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold ``folder``, which is made, until the block ends; the system lets go of it when the process is killed. Works
    among the processes of one machine. Raises InputError where another process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    file = _locked(path)
    while not _is(file, path):  # the process that held it took the file away meanwhile
        file.close()
        file = _locked(path)
    with file:
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            path.unlink()


def _locked(path: Path) -> IO[str]:
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = f" (process {pid})" if (pid := file.read().strip()) else ""
        file.close()
        mend = "wait for it, or choose another folder"
        raise InputError(f"{path.parent} is in use by another run{owner}; {mend}") from None
    return file


def _is(file: IO[str], path: Path) -> bool:
    """Whether the open ``file`` is the one that lies at ``path``."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
