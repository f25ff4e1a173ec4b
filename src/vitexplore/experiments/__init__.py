"""The registry of experiments: one module of this folder each, found by its name.

A module declares ``EXPERIMENT``, and defines its options and ``measure(model, loader, **options)``, which yields the
experiment's table, or tables by name. Everything else is derived from that entry: the scale's schema, the rule, the
estimate, the list that `vitexplore experiments` prints. Modules here import no torch, for Snakemake reads them at each
start: ``measure`` imports what it needs.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import filter as fnmatch_filter
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from vitexplore.errors import InputError

if TYPE_CHECKING:
    from vitexplore.job import Session
    from vitexplore.scale import Scale

Need = Literal["labels", "boxes", "captions"]
FAMILIES = ("vit", "clip", "cnn")
Measure = Callable[..., "pd.DataFrame | Mapping[str, Any]"]


class Options(BaseModel):
    """Options of an experiment, as a scale gives them: each with a type, and a description for the documentation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Images = Annotated[int, Field(ge=2, description="images to use at most, drawn once")]
CommonSize = Annotated[int, Field(ge=0, description="pixels: measure at this input size too (no CLIPs); 0: do not")]


def sizes(common_size: int, family: str) -> int:
    """At how many input sizes a model is measured."""
    return 2 if common_size and family != "clip" else 1


@dataclass(frozen=True)
class Cost:
    """What an experiment asks of a machine for one model: ``passes``, in forward passes of one image (a step of a
    visualization to the pixels is two), and ``reads``, how many images are read and decoded."""

    passes: float
    reads: float


def nothing(_scale: Any, _model: str) -> dict[str, Any]:
    return {}


def none(_scale: Any, _model: str) -> list[Any]:
    return []


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    ``measure(model, loader, **options)`` gives a DataFrame, or several things by name: those of ``tables`` (table to
    its columns, ``*`` standing for any letters) and of ``arrays`` (numpy arrays by name). ``cost(options, family)``
    says what one model takes.

    Which models and data it suits: ``families`` of models; ``needs`` of the data (labels of a classifier's classes,
    boxes, captions). With ``named_only`` models take part only where they name it; ``models(scale)`` chooses them in
    another way. ``validation``: it is about the validation images, where the scale names some.

    What ``measure`` gets besides its options, by keyword: ``settings(scale, model)``, plain values from elsewhere in
    the scale; ``given(session, model)``, what is made of the tables of ``reads(scale, model)`` (pairs of table and
    model) and of ``others(scale, model)``, other models; with ``scratch`` a folder in which it leaves what a run that
    was killed need not do again.

    The registry fills in ``name`` and ``path``, of its module, and ``title``, the module's first sentence.
    """

    measure: Measure
    options: type[Options]
    tables: Mapping[str, tuple[str, ...]]
    cost: Callable[[Any, str], Cost]
    arrays: tuple[str, ...] = ()
    families: tuple[str, ...] = FAMILIES
    needs: tuple[Need, ...] = ()
    named_only: bool = False
    models: Callable[["Scale"], Iterable[str]] | None = None
    validation: bool = False
    scratch: bool = False
    settings: Callable[["Scale", str], dict[str, Any]] = nothing
    reads: Callable[["Scale", str], list[tuple[str, str]]] = none
    others: Callable[["Scale", str], list[str]] = none
    given: Callable[["Session", str], dict[str, Any]] = nothing
    name: str = ""
    title: str = ""
    path: Path = Path()

    def found(self, measured: "pd.DataFrame | Mapping[str, Any]") -> dict[str, Any]:
        """What ``measure`` gave, by name. Raises InputError where that is not what the entry declares."""
        by_name = {next(iter(self.tables)): measured} if isinstance(measured, pd.DataFrame) else dict(measured)
        if set(by_name) != {*self.tables, *self.arrays}:
            raise InputError(f"{self.name}: measure gives {', '.join(by_name)}, not {', '.join(self.tables)}")
        for name, columns in self.tables.items():
            found = list(map(str, by_name[name].columns))
            unknown = [column for column in found if not any(fnmatch(column, known) for known in columns)]
            missing = [known for known in columns if not fnmatch_filter(found, known)]
            if unknown or missing:
                wrong = ", ".join([*(f"an undeclared {column}" for column in unknown), *(f"no {m}" for m in missing)])
                raise InputError(f"{self.name}: table {name} has {wrong}; EXPERIMENT declares {', '.join(columns)}")
        return by_name


@cache
def shipped() -> dict[str, Experiment]:
    """The project's experiments by name, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: _entry(importlib.import_module(f"{__name__}.{name}"), name) for name in names}


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
