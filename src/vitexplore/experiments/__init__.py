"""What an experiment is: each module of this folder declares one, as ``EXPERIMENT``, and defines its options and
``measure(model, loader, **options)``, which yields the experiment's table, or tables by name.

Everything else is derived from that entry (registry.py finds it by the module's name): the scale's schema, the rule,
the estimate, the list that `vitexplore experiments` prints. Modules here import no torch, for Snakemake reads them at
each start: ``measure`` imports what it needs.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import filter as fnmatch_filter
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from vitexplore.errors import InputError
from vitexplore.models.spec import FAMILIES

if TYPE_CHECKING:
    from vitexplore.job import Session
    from vitexplore.scale import Scale

Need = Literal["labels", "boxes", "concepts", "factors"]
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
    boxes, concepts that labels or captions name, factors that made a scene). With ``named_only`` models take part only
    where they name it; ``models(scale)`` chooses them in another way. ``validation``: it is about the validation
    images, where the scale names some.

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
