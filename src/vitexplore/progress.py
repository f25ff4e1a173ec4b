"""Progress of long work: a bar on a terminal, one line in a notebook, else now and then a line in the log."""

import builtins
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)
T = TypeVar("T")
EVERY, NOTEBOOK_EVERY = 10.0, 0.5  # seconds between lines


@contextmanager
def meter(what: str, total: float, unit: str) -> Iterator[Callable[[float], None]]:
    """A function to be told of work done, in ``unit`` of which there are ``total``; shows how much is done, how many a
    minute, and the time left."""
    began = said = time.monotonic()
    done = 0.0

    def pace(now: float) -> str:
        return f"{60 * done / max(now - began, 1e-9):.1f} {unit}/min"

    if sys.stderr.isatty():
        columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[pace]}"))
        with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=total, pace="")

            def show(amount: float) -> None:
                nonlocal done
                done += amount
                bar.update(task, advance=amount, pace=pace(time.monotonic()))

            yield show
        return

    notebook = hasattr(builtins, "__IPYTHON__")
    every = NOTEBOOK_EVERY if notebook else EVERY

    def tell(amount: float) -> None:
        nonlocal done, said
        done += amount
        now = time.monotonic()
        if now - said > every and done:
            said = now
            left = (now - began) * max(total / done - 1, 0)
            line = f"{what}: {100 * min(done / total, 1):.0f}%, {pace(now)}, {left:.0f} s left"
            if notebook:
                sys.stderr.write(f"\r{line}   ")
            else:
                log.info(line)

    yield tell
    if notebook:
        sys.stderr.write(f"\r{what}: {total:g} {unit} in {time.monotonic() - began:.0f} s{' ' * 40}\n")


def track(items: Iterable[T], what: str, total: float) -> Iterator[T]:
    """Pass ``items`` on, metering them."""
    with meter(what, total, "batches") as tell:
        for item in items:
            yield item
            tell(1)
