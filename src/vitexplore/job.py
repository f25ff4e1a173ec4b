"""One job: an experiment on the models of a group, each measured once, their tables under each other.

What a model yields is kept, under a hash of everything it depends on, until the job's tables are whole: a job that was
killed goes on with the models that it has.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from vitexplore.code_hash import code_hash
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader
from vitexplore.experiments import Experiment, Options
from vitexplore.graph import Graph
from vitexplore.io import rows_of, sha256, write_atomically, write_tables
from vitexplore.models.registry import Model, checkpoint_path, load
from vitexplore.provenance import of_model, versions

log = logging.getLogger(__name__)
GONE = ".gone"  # how the name of a folder ends that is being removed


@dataclass(frozen=True)
class How:
    """How a job runs: the device, images at once, processes that read ahead. The last two move numbers by rounding
    alone."""

    device: torch.device
    batch: int
    workers: int


class Session:
    """What the models of one job share: the images, and models that are loaded once."""

    def __init__(self, graph: Graph, experiment: str, how: How) -> None:
        self.graph, self.scale, self.how = graph, graph.scale, how
        self.experiment: Experiment = graph.experiments[experiment]
        self.options: Options = graph.scale.options(experiment)
        self._models: dict[str, Model] = {}
        self._made: dict[str, Any] = {}

    @property
    def _folder(self) -> Path:
        return self.graph.image_index(self.experiment.name).parent

    @cached_property
    def loader(self) -> Loader:
        preprocessing = self.graph.preprocessing(self.experiment.name)
        return Loader(ImageSet.read(self._folder), preprocessing, self.how.batch, self.how.workers)

    @cached_property
    def data_hash(self) -> str:
        return json.loads((self._folder / "provenance.json").read_text())["hash"]

    def model(self, name: str) -> Model:
        """A model of the scale, on the job's device."""
        if name not in self._models:
            self._models[name] = load(self.graph.spec(name), self.how.device)
        return self._models[name]

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, made once for all models of the job."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def table(self, name: str, model: str) -> pd.DataFrame:
        """A model's rows of another experiment's table."""
        return rows_of(self.graph.table(name, model), model)

    def key(self, name: str) -> str:
        """A hash of everything that a model's numbers depend on: code, scale, images, weights, tables that are read,
        libraries, the kind of device."""
        models = (name, *self.experiment.others(self.scale, name))
        files = [path for each in models for path in self._weight_files(each)]
        files += [self.graph.table(*pair) for pair in self.experiment.reads(self.scale, name)]
        depends_on = {
            "code": code_hash(self.experiment.path),
            "asked": self.graph.asked_of(self.experiment.name, name),
            "images": self.data_hash,
            "files": [sha256(path) for path in files],
            "libraries": versions(),
            "device": self.how.device.type,
        }
        return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:16]

    def _weight_files(self, name: str) -> list[Path]:
        weights = self.graph.spec(name).weights
        return [checkpoint_path(weights)] if weights.startswith("package:") else self.graph.weights(name)


def run(graph: Graph, experiment: str, group: str, how: How) -> None:
    """Write the tables and arrays of one job. Raises InputError for an experiment or group that the scale has not."""
    members = graph.members(experiment, group)
    session = Session(graph, experiment, how)
    kept = graph.out / "unfinished" / experiment
    parts = [_part(session, name, kept) for name in members]
    entry, outputs = session.experiment, graph.outputs(experiment, group)
    for path, name in zip(outputs, [*entry.tables, *entry.arrays], strict=True):
        if name in entry.tables:
            frames = [(pd.read_parquet(part / f"{name}.parquet"), _provenance(part)) for part in parts]
            write_tables(path, frames)
        else:
            named = zip(members, parts, strict=True)
            arrays = {f"{of}/{key}": each for of, part in named for key, each in _arrays(part / f"{name}.npz").items()}
            write_atomically(path, lambda temporary, arrays=arrays: np.savez_compressed(temporary, **arrays))
    for part in parts:
        _remove(part)


def _part(session: Session, name: str, kept: Path) -> Path:
    """The folder of what a model yields: as it was kept, or measured now."""
    part = kept / f"{name}-{session.key(name)}"
    for old in kept.glob(f"{name}-*"):
        if old.name.partition(".")[0] != part.name or old.suffix == GONE:
            _remove(old)
    if part.exists():
        log.info("%s: %s is there already", session.experiment.name, name)
        return part
    log.info("%s: measuring %s", session.experiment.name, name)
    entry, unfinished = session.experiment, part.with_name(f"{part.name}.unfinished")
    unfinished.mkdir(parents=True, exist_ok=True)
    model = session.model(name)
    found = measured(session, model, unfinished / "scratch")
    for table in entry.tables:
        found[table].to_parquet(unfinished / f"{table}.parquet", index=False)
    for array in entry.arrays:
        np.savez(unfinished / f"{array}.npz", **found[array])
    shown = session.loader
    provenance = of_model(model, session.data_hash, shown.preprocessing, photographs=shown.images.photographs)
    (unfinished / "provenance.json").write_text(json.dumps(provenance))
    shutil.rmtree(unfinished / "scratch", ignore_errors=True)
    unfinished.rename(part)
    return part


def measured(session: Session, model: Model, scratch: Path) -> dict[str, Any]:
    """What the session's experiment yields on ``model``, by the names of its tables and arrays. ``scratch``: a folder
    for what a run that was killed need not do again, where the experiment has such."""
    entry, name = session.experiment, model.spec.name
    wanted = dict(session.options) | entry.settings(session.scale, name) | entry.given(session, name)
    if entry.scratch:
        wanted["scratch"] = scratch
    return entry.found(entry.measure(model, session.loader, **wanted))


def _remove(part: Path) -> None:
    """Remove a folder, under another name: half removed by a killed job, it would pass for a whole one."""
    gone = part if part.suffix == GONE else part.rename(part.with_name(f"{part.name}{GONE}"))
    shutil.rmtree(gone)


def _provenance(part: Path) -> dict[str, Any]:
    return json.loads((part / "provenance.json").read_text())


def _arrays(path: Path) -> Mapping[str, np.ndarray]:
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}
