"""Progress of long loops: a line on the terminal, or now and then one in the log."""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")
EVERY = 10.0  # seconds between lines


def track(items: Iterable[T], what: str, total: float) -> Iterator[T]:
    """Pass ``items`` on; every 10 seconds log how many of ``total`` are done and the time left."""
    began = said = time.monotonic()
    for number, item in enumerate(items):
        yield item
        now = time.monotonic()
        if now - said > EVERY:
            said = now
            done = min((number + 1) / total, 1.0)
            log.info("%s: %.0f%%, %.0f s left", what, 100 * done, (now - began) * (1 / done - 1))
