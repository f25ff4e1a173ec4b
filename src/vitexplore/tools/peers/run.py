"""Draw with each library in turn, and keep each picture with what it cost.

A picture and its record, ``<model>_<block>_<feature>_<way>_<version>.png`` and ``.json``, are written when the picture
is finished, and are not drawn again. Delete the records of a way to measure its seconds anew: its pictures stay.
"""

import json
import logging
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from vitexplore.io import write_atomically, write_json
from vitexplore.png import encode
from vitexplore.progress import meter
from vitexplore.tools.peers.way import Wanted, Way

log = logging.getLogger(__name__)
FEW = 2  # steps of a run that is not measured: it imports what the library needs


def draw_all(ways: Sequence[Way], wanted: Sequence[Wanted], folder: Path) -> pd.DataFrame:
    """Those of ``wanted`` that each of ``ways`` draws, kept in ``folder``: a row each: model, block,
    feature, way, version, passes (images that the model was given), cpu_seconds (of all threads), picture (the file),
    seen (see Way). A way that fails is named in the log, with the error, and left out from there on."""
    rows = []
    with meter("pictures", sum(way.draws(one) for way in ways for one in wanted), "pictures") as tell:
        for way in ways:
            try:
                for row in _draw_with(way, wanted, folder):
                    rows.append(row)
                    tell(1)
            except PackageNotFoundError as error:
                log.warning("%s is left out: %s", way.name, error)
            except Exception as error:
                log.exception("%s failed and is left out: %s", way.name, error)
    return pd.DataFrame(rows)


def _draw_with(way: Way, wanted: Sequence[Wanted], folder: Path) -> Iterator[dict[str, Any]]:
    version, ready = way.version(), False
    for one in filter(way.draws, wanted):
        row = {
            "model": one.model.spec.name,
            "block": one.site.block,
            "feature": one.channel,
            "way": way.name,
            "version": version,
        }
        stem = "_".join(map(str, row.values()))
        picture, record = folder / f"{stem}.png", folder / f"{stem}.json"
        if not (picture.exists() and record.exists()):
            if not ready:
                with hooks_restored(one.network):
                    way.draw(one, steps=FEW)
                ready = True
            _draw_one(way, one, picture, record)
        yield {**row, **json.loads(record.read_text()), "picture": picture, "seen": way.seen}


def _draw_one(way: Way, wanted: Wanted, picture: Path, record: Path) -> None:
    random.seed(0)
    np.random.seed(0)  # the libraries draw from the global generators
    torch.manual_seed(0)
    with hooks_restored(wanted.network), counted(way.network(wanted)) as images:
        began = time.process_time()
        image = way.draw(wanted)
        seconds = time.process_time() - began
    if not images:
        raise RuntimeError("its passes are not counted: it runs another network than the one it was given")
    if not picture.exists():
        png = encode(image)
        write_atomically(picture, lambda path: path.write_bytes(png))
    write_json(record, {"passes": sum(images), "cpu_seconds": seconds})


@contextmanager
def hooks_restored(network: nn.Module) -> Iterator[None]:
    """Take away the forward hooks that a library leaves on ``network``: they hold tensors, and slow the next way."""
    before = {part: part._forward_hooks.copy() for part in network.modules()}
    try:
        yield
    finally:
        for part, hooks in before.items():
            part._forward_hooks.clear()
            part._forward_hooks.update(hooks)


@contextmanager
def counted(network: nn.Module) -> Iterator[list[int]]:
    """A list that grows by the number of images of each pass that ``network`` begins."""
    images: list[int] = []

    def count(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
        images.append(len(inputs[0]))

    handle = network.register_forward_pre_hook(count)
    try:
        yield images
    finally:
        handle.remove()
