"""The registry of experiments: the project's, each found by its module's name, and a user's own modules."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

from vitexplore import experiments
from vitexplore.errors import InputError
from vitexplore.experiments import Experiment


@cache
def shipped() -> dict[str, Experiment]:
    """The project's experiments by name, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(experiments.__path__))
    return {name: _entry(importlib.import_module(f"{experiments.__name__}.{name}"), name) for name in names}


def registry(modules: Sequence[str | Path] = ()) -> dict[str, Experiment]:
    """The project's experiments and those of ``modules``, files of a user's. Raises InputError for a file that does not
    exist, declares no experiment, or takes a name that is taken, of an experiment or of a table."""
    found = dict(shipped())
    for path in map(Path, modules):
        if path.stem in found:
            raise InputError(f"{path}: there is an experiment {path.stem} already; give the file another name")
        entry = _entry(_imported(path), path.stem)
        taken = {table for each in found.values() for table in (*each.tables, *each.arrays)}
        if twice := taken & {*entry.tables, *entry.arrays}:
            raise InputError(f"{path}: there is a table {min(twice)} already; give it another name")
        found[path.stem] = entry
    return found


def find(name: str, modules: Sequence[str | Path] = ()) -> Experiment:
    """The experiment ``name``. Raises InputError, with the names there are, where there is none."""
    known = registry(modules)
    if name not in known:
        raise InputError(f"no experiment {name!r}; there are {', '.join(known)}")
    return known[name]


@cache
def _imported(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"modules: no file {path}; its path starts at the folder where Snakemake runs")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _entry(module: ModuleType, name: str) -> Experiment:
    entry, path = getattr(module, "EXPERIMENT", None), Path(module.__file__)
    if not isinstance(entry, Experiment):
        raise InputError(f"{path}: declares no EXPERIMENT; see any module of vitexplore/experiments")
    title = " ".join((module.__doc__ or "").split("\n\n")[0].split())
    return replace(entry, name=name, title=title, path=path)
