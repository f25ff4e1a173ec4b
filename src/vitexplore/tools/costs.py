"""Measure what a scale of photographs costs on two cores: time and memory of each experiment on each of its models, at
full size, with random weights and on few images. The pictures are any photographs (stand_ins.py)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch

from vitexplore.experiments import Experiment, Options
from vitexplore.graph import Graph
from vitexplore.io import write_atomically
from vitexplore.job import How, Session, measured, run
from vitexplore.scale import Scale
from vitexplore.scale_data import Expected
from vitexplore.threads import use_threads
from vitexplore.tools.estimate import asked, cost_of
from vitexplore.tools.stand_ins import OF_COCO
from vitexplore.tools.timing import timed

NAME = "costs"  # of the reduced scale
THREADS = 2
IMAGES = 10  # and as many at once
MORE = {"concepts": OF_COCO, "features": 20}  # fewer have no concept that counts; words take a while to be read
FEATURES, STEPS = 2, 4  # of visualizations
COLUMNS = ["experiment", "model", "images", "passes", "seconds", "peak_mb", "measured"]


def measure(scale: Scale, experiment: str, name: str, out: Path) -> None:
    """Write a CSV of one row, of ``experiment`` on the model ``name`` of ``scale``: the ``images`` that it was measured
    on, forward ``passes`` as the registry counts them, ``seconds``, the process's peak of memory in MB, and in words
    what was ``measured``. What the models of a job share, such as a judge's answers, counts for the first of them.
    Building models does not count."""
    use_threads(THREADS)
    graph, device = Graph(reduced(scale)), torch.device("cpu")
    how = How(device, IMAGES, workers=0)
    session = Session(graph, experiment, how)
    entry = session.experiment
    first = _members(graph, experiment, name)[0]
    _write_what_is_read(graph, entry, {first, name}, how)
    for each in (name, *entry.others(graph.scale, name)):
        session.model(each)
    if name != first:
        entry.given(session, first)
    found: dict[str, Any] = {}
    with TemporaryDirectory() as scratch:
        seconds, peak = timed(lambda: found.update(measured(session, session.model(name), Path(scratch))), device)
    passes = cost_of(graph.scale, entry, name, session.model(name).spec.input_size).passes
    what = in_words(session.options, scale.options(experiment))
    if entry.name == "visualize":
        what += f": {seconds / STEPS / len(found[entry.name]):.2g} s a step and feature"
    row = [experiment, name, session.options.images, passes, round(seconds, 2), round(peak), what]
    _write(pd.DataFrame([row], columns=COLUMNS), out)


def join(parts: Sequence[Path], out: Path) -> None:
    """Write the rows of all ``parts`` to one CSV."""
    _write(pd.concat(map(pd.read_csv, parts), ignore_index=True), out)


def _write(table: pd.DataFrame, out: Path) -> None:
    write_atomically(out, lambda path: table.to_csv(path, index=False))


def reduced(scale: Scale) -> Scale:
    """``scale`` with random weights, on few of any number of photographs."""
    options = {name: _fewer(scale, entry) for name, entry in scale.registry.items() if scale.options(name)}
    changes = {
        "scale": NAME,
        "models": {name: replace(model, weights="random") for name, model in scale.models.items()},
        "experiments": scale.experiments.model_copy(update=options),
        "expected": Expected(),
        "images_per_class": None,
    }
    return scale.model_copy(update=changes)


def _fewer(scale: Scale, entry: Experiment) -> Options:
    """An experiment's options for few images. Words shrink with the images, for both are passes of a CLIP."""
    options, images, changes = asked(scale, entry), MORE.get(entry.name, IMAGES), {}
    if hasattr(options, "images"):
        changes["images"] = images
    if hasattr(options, "words"):
        changes["words"] = ceil(options.words * images / options.images)
    if hasattr(options, "views"):
        changes["views"] = min(options.views, images)
    if hasattr(options, "recipes"):
        recipes = tuple(recipe.model_copy(update={"steps": STEPS}) for recipe in options.recipes)
        changes |= {"features": FEATURES, "recipes": recipes}
    return options.model_copy(update=changes)


def in_words(options: Options, whole: Options) -> str:
    """How much of an experiment's ``whole`` options was measured with ``options``."""
    parts = [f"{options.images} images"]
    if hasattr(options, "words"):
        parts.append(f"{options.words} of {whole.words} words")
    if hasattr(options, "recipes"):
        parts.append(f"{options.features} of {whole.features} features a site")
        parts.append(f"{options.recipes[0].steps} of {whole.recipes[0].steps} steps")
    return ", ".join(parts)


def _members(graph: Graph, experiment: str, name: str) -> list[str]:
    """The models of the job that measures ``name``."""
    return next(members for members in graph.groups(experiment).values() if name in members)


def _write_what_is_read(graph: Graph, entry: Experiment, names: Iterable[str], how: How) -> None:
    """Write the tables of other experiments that ``names`` read."""
    pairs = {(graph.source(table), model) for name in names for table, model in entry.reads(graph.scale, name)}
    for experiment, model in sorted(pairs):
        group = next(group for group, members in graph.groups(experiment).items() if model in members)
        run(graph, experiment, group, how)
