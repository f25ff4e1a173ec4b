"""A scale: the models, the data and the budgets of a run. How to run (threads, device, batch) is no part of it.

The documentation's schema, ``workflow/schemas/scale.schema.json``, is made from the types here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, Field, ValidationError, create_model, field_validator, model_validator

from vitexplore.errors import InputError, nearest
from vitexplore.experiments import Experiment, Options
from vitexplore.experiments.collect import DRAWN
from vitexplore.models.spec import ModelSpec, Preprocessing
from vitexplore.registry import registry
from vitexplore.scale_data import (
    DATA,
    NINE,
    OF_IMAGENET9,
    VALIDATION,
    Boxes,
    Captions,
    Data,
    Expected,
    Instances,
    Labels,
    Part,
    PerClass,
    Photographs,
    PhotoSet,
)
from vitexplore.visualize.recipes import DEPTHS

Depth = Literal[tuple(DEPTHS)]
Name = Annotated[str, Field(pattern="^[a-z0-9_]+$")]
MODULES = "modules"
OTHERS = "others"
REHEARSAL = "rehearsal"  # how the name of such a scale starts


@dataclass(frozen=True)
class ScaleModel(ModelSpec):
    """A model of a scale. ``experiments``: those that it takes part in, all that suit it if left out. ``depths``:
    where its features are visualized. ``beside``: another model, in whose jobs this one's experiments run, and in
    whose tables its rows stand."""

    experiments: tuple[str, ...] | None = None
    depths: tuple[Depth, ...] | None = None
    beside: str | None = None

    @property
    def spec(self) -> ModelSpec:
        return ModelSpec(**{each.name: getattr(self, each.name) for each in fields(ModelSpec)})


class Scale(Part):
    """A scale file."""

    scale: Annotated[Name, Field(description="results go to results/<scale>")]
    rehearsal: Annotated[
        bool, Field(description="made pictures and weights stand in for the real ones: no result is kept or promoted")
    ] = False
    data: Data
    images: Annotated[
        str | None, Field(description="folder of photographs: <WordNet id>/*.JPEG, 0/*.JPEG, *.JPEG or *.tar")
    ] = None
    validation: Annotated[
        str | None, Field(description="another such folder, for Table 1 and Fig. 14; may be left out")
    ] = None
    labels: Labels = None
    boxes: Boxes = None
    instances: Instances = None
    captions: Captions = None
    images_per_class: PerClass = None
    expected: Expected = Expected()
    sets: dict[Name, PhotoSet] = Field({}, description="further photographs by name, for some experiments")
    weights: Annotated[str, Field(description="folder of published weights, which the target prefetch fills")] = (
        "weights"
    )
    downloads: Annotated[
        tuple[Name, ...],
        Field(description="further public files for the target prefetch, by their names in workflow/downloads.yaml"),
    ] = ()
    store: Annotated[str, Field(description="folder of downloads, which the target prefetch fills")] = "downloads"
    mirror: Annotated[
        str | None, Field(description="URL of a folder that has the downloads under the same file names")
    ] = None
    modules: Annotated[tuple[str, ...], Field(description="Python files with experiments of your own")] = ()
    models: Annotated[dict[Name, ScaleModel], Field(min_length=1)]
    judges: dict[str, str] = Field({}, description="the model that judges a model's visualizations")
    preprocessing: dict[str, Preprocessing] = Field(
        {}, description="how an experiment brings images to a model's input size; others: all that are not named"
    )
    experiments: Annotated[Any, Field(description="the experiments that run, each with its options")]
    claims: Annotated[tuple[str, ...], Field(description="folders of analyses/")]

    @field_validator("models", mode="before")
    @classmethod
    def _named(cls, models: Any) -> Any:
        if not isinstance(models, dict):
            return models
        return {name: {**model, "name": name} if isinstance(model, dict) else model for name, model in models.items()}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for problem in _problems(self):
            raise ValueError(problem)
        return self

    @property
    def photos(self) -> bool:
        return self.data.kind == "photos"

    def split(self, experiment: str) -> str:
        """The split whose scenes an experiment looks at."""
        return self.data.splits.get(experiment, self.data.split)

    def source(self, entry: Experiment) -> str:
        """Which photographs an experiment looks at: one of ``sets`` by name, else ``validation``, else ``data``."""
        for name, photographs in self.sets.items():
            if entry.name in photographs.experiments:
                return name
        return VALIDATION if entry.validation and self.validation is not None else DATA

    def pictures(self, entry: Experiment) -> int | None:
        """How many images an experiment finds; None where the scale does not say."""
        if not self.photos:
            return self.data.count
        shown = self.photographs(self.source(entry))
        classes = NINE if shown.kind == "imagenet9" else shown.classes
        if shown.images_per_class and classes:
            return shown.images_per_class * classes
        return shown.expected

    def photographs(self, source: str) -> Photographs:
        """What is known of the photographs of a ``source``. Labels and counts of classes are of the validation
        photographs where the scale names some; what else it says at top level is of ``images`` alone."""
        if source in self.sets:
            return self.sets[source]
        labelled = source == (VALIDATION if self.validation else DATA)
        labels = self.labels if labelled else None
        if source == VALIDATION:
            expected = self.expected.validation
            return Photographs(images=self.validation, labels=labels, expected=expected, classes=self.expected.classes)
        return Photographs(
            images=self.images,
            labels=labels,
            boxes=self.boxes,
            instances=self.instances,
            captions=self.captions,
            expected=self.expected.data,
            classes=self.expected.classes,
            images_per_class=self.images_per_class,
        )

    @property
    def registry(self) -> dict[str, Experiment]:
        """All experiments by name, those of ``modules`` too."""
        return registry(self.modules)

    def options(self, experiment: str) -> Options | None:
        """The options that the scale gives an experiment; None where it does not run."""
        return getattr(self.experiments, experiment, None)

    def taking_part(self, experiment: str) -> list[str]:
        """Names of the models that take part in an experiment, in their order: none where it has no options, or where
        the data lack what it needs. Raises InputError for an experiment that does not exist."""
        entry = self.registry.get(experiment)
        if entry is None:
            raise InputError(f"no experiment {experiment!r}; did you mean {nearest(experiment, self.registry)}?")
        if self.options(experiment) is None or self._lacking(entry):
            return []
        if entry.models is not None:
            chosen = set(entry.models(self))
            return [name for name in self.models if name in chosen]
        return [name for name, model in self.models.items() if _takes_part(entry, model)]

    def _lacking(self, entry: Experiment) -> list[str]:
        """What the experiment needs and its images have not."""
        if not self.photos:
            return []
        shown = self.photographs(self.source(entry))
        has = {
            "labels": shown.has_labels,
            "boxes": shown.has_boxes or shown.kind == "imagenet9",
            "concepts": shown.has_labels or shown.captions,
        }
        return [need for need in entry.needs if not has.get(need)]


def _takes_part(entry: Experiment, model: ScaleModel) -> bool:
    """Whether a model names the experiment, or names none and suits it."""
    if model.experiments is not None:
        return entry.name in model.experiments
    return model.family in entry.families and not entry.named_only


def _problems(scale: Scale) -> Iterable[str]:
    """What no single key shows, each as ``key: what is wrong; the mend``."""
    models = scale.models
    for model, judge in scale.judges.items():
        for name in (model, judge):
            if name not in models:
                yield f"judges: {name!r} is not among the models"
        if model == judge or models[judge].random:
            yield f"judges: {model} needs a judge that is another model with trained weights"
    for name, model in models.items():
        for experiment in model.experiments or ():
            if scale.options(experiment) is None:
                known = scale.registry
                mend = "give it some" if experiment in known else f"did you mean {nearest(experiment, known)}?"
                yield f"models.{name}.experiments: {experiment!r} has no options under experiments; {mend}"
    leaders = [name for name, model in models.items() if model.beside is None]
    for name, model in models.items():
        if model.beside is not None and model.beside not in leaders:
            wrong = f"models.{name}.beside: {model.beside!r} is no other model that stands by itself"
            yield f"{wrong}; did you mean {nearest(model.beside, leaders)}?"
    if scale.rehearsal and not scale.scale.startswith(REHEARSAL):
        yield f"scale: a rehearsal's results lie apart; let the name start with {REHEARSAL!r}"
    yield from _of_named(scale)
    yield from _of_visualizing(scale)
    for name in ("concepts", "features"):
        asked = scale.options(name)
        if asked and (asked.judge not in models or models[asked.judge].family != "clip"):
            yield f"experiments.{name}.judge: {asked.judge!r} is no CLIP among the models; name one whose words count"
    if scale.photos and not scale.images:
        yield "images is missing: add --config images=DIR, a folder with <WordNet id>/*.JPEG"
    yield from _of_coco(scale)


def _of_named(scale: Scale) -> Iterable[str]:
    """What is wrong with experiments that are given images or a preprocessing of their own."""
    known = scale.registry
    named = {"data.splits": [*scale.data.splits], "preprocessing": [n for n in scale.preprocessing if n != OTHERS]}
    for key, names in named.items():
        for name in names:
            if name not in known:
                yield f"{key}: no experiment {name!r}; did you mean {nearest(name, known)}?"
    if scale.photos and scale.data.splits:
        yield "data.splits: photographs have no splits; take the key away"
    together = [name for name in ("collect", "embed", *DRAWN) if scale.options(name)]
    if len({scale.split(name) for name in together}) > 1:
        yield f"data.splits: {', '.join(together)} share their images; give them the same split"
    if len({scale.source(known[name]) for name in together}) > 1:
        yield f"sets: {', '.join(together)} share their images; let one set have them all, or none"
    yield from _of_sets(scale, known)


def _of_sets(scale: Scale, known: Mapping[str, Experiment]) -> Iterable[str]:
    """What is wrong with further photographs."""
    if scale.sets and not scale.photos:
        yield "sets: they are of photographs; give data the kind photos"
    asked: dict[str, str] = {}
    for name, photographs in scale.sets.items():
        if name in (DATA, VALIDATION):
            yield f"sets.{name}: {name} is what the scale's own photographs are called; take another name"
        for experiment in photographs.experiments:
            where = f"sets.{name}.experiments"
            if experiment not in known:
                yield f"{where}: no experiment {experiment!r}; did you mean {nearest(experiment, known)}?"
            if experiment in asked:
                yield f"{where}: {experiment} looks at {asked[experiment]} already; name it once"
            asked[experiment] = name
        if photographs.kind == "imagenet9" and set(photographs.experiments) != {OF_IMAGENET9}:
            yield f"sets.{name}.experiments: the backgrounds challenge is for {OF_IMAGENET9} alone; name nothing else"


def _of_coco(scale: Scale) -> Iterable[str]:
    """What does not go with COCO's files, or goes with them alone."""
    if scale.instances and not scale.photos:
        yield "instances: COCO's pictures are photographs; give data the kind photos"
    if scale.instances and scale.labels and not scale.validation:
        yield "labels: COCO's pictures have no classes; take the key away"
    for place, photographs in {"": scale, **{f"sets.{name}.": each for name, each in scale.sets.items()}}.items():
        if photographs.captions and not photographs.instances:
            yield f"{place}captions: COCO's captions go with its instances; add instances=FILE"
        if photographs.instances and photographs.boxes:
            yield f"{place}boxes: COCO's instances have boxes of their own; take the key away"


def _of_visualizing(scale: Scale) -> Iterable[str]:
    """What experiments that visualize need of each other."""
    looked_at = [0]
    for name in DRAWN:
        options = scale.options(name)
        if options is None:
            continue
        looked_at.append(options.images)
        labels = [(recipe.name, recipe.tv) for recipe in options.recipes]
        if twice := [label for number, label in enumerate(labels) if label in labels[:number]]:
            yield f"experiments.{name}.recipes: {twice[0][0]} stands there twice; keep one of them"
    embed, collect = scale.options("embed"), scale.options("collect")
    if scale.judges and len(looked_at) > 1:
        if embed is None:
            yield "experiments.embed is missing: judges look at images; add embed: {images: N}"
        elif embed.images < (most := max(*looked_at, collect.images if collect else 0)):
            yield f"experiments.embed.images: {embed.images} are fewer than the {most} that judges are asked about"


def scale_type(modules: Sequence[str] = ()) -> type[Scale]:
    """The type of scales whose experiments are the project's and those of ``modules``."""
    budgets = {name: (entry.options | None, None) for name, entry in registry(modules).items()}
    experiments = create_model("Experiments", __base__=Part, **budgets)
    described = Annotated[experiments, Field(description="the experiments that run, each with its options")]
    return create_model("Scale", __base__=Scale, __doc__=Scale.__doc__, experiments=(described, ...))


def parse(config: dict[str, Any], files: Sequence[Path] = ()) -> Scale:
    """The scale that ``config`` describes, merged from ``files``. Raises InputError, which names the file, the key and
    the mend in one line, for the first thing that is wrong."""
    modules = config.get(MODULES) or []
    if not isinstance(modules, list):
        raise InputError(f"{_file_of((MODULES,), files)}: {MODULES}: {modules!r} is no list of Python files")
    kind = scale_type(modules)
    try:
        return kind.model_validate(config)
    except ValidationError as error:
        # a misspelt key is also a missing one: the misspelling says more
        worst = min(error.errors(), key=lambda each: "extra" not in each["type"] and "unexpected" not in each["type"])
        raise InputError(_line(worst, kind, files)) from None


def read(path: Path) -> Scale:
    """The scale of one file. Raises InputError for a file that cannot be read, or is not as it must be."""
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: {str(error).splitlines()[0]}") from error
    if not isinstance(config, dict):
        raise InputError(f"{path}: no scale; see workflow/scales/lab.yaml")
    return parse(config, [path])


def _line(error: Any, kind: type[BaseModel], files: Sequence[Path]) -> str:
    where = [str(part) for part in error["loc"] if not str(part).startswith("function-")]
    file = _file_of(tuple(where), files)
    if "extra" in error["type"] or "unexpected" in error["type"]:
        unknown = where.pop()
        place = ".".join(where) or "top level"
        return f"{file}: {place}: unknown key {unknown!r}; did you mean {nearest(unknown, _keys(kind, where))}?"
    message = error["msg"].removeprefix("Value error, ")
    given = "" if isinstance(error["input"], dict | BaseModel) else f" (not {error['input']!r})"
    return f"{file}: {'.'.join(where)}: {message}{given}" if where else f"{file}: {message}"


def _keys(kind: type[BaseModel], where: Sequence[str]) -> list[str]:
    """The keys that a scale may have at ``where``."""
    if not where:
        return sorted(kind.model_fields)
    if where[0] == "models":
        return [each.name for each in fields(ScaleModel) if each.name != "name"]
    schema = kind.model_json_schema()
    found: dict[str, Any] = schema
    for part in where:
        found = _resolved(found, schema)
        found = found.get("properties", {}).get(part) or found.get("items") or found.get("additionalProperties") or {}
    return sorted(_resolved(found, schema).get("properties", {}))


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """``part`` of a JSON schema, or what it refers to."""
    for option in part.get("anyOf", [part]):
        if "$ref" in option:
            return schema["$defs"][option["$ref"].rpartition("/")[2]]
        if option.get("type") != "null":
            return option
    return part


def _file_of(where: tuple[str, ...], files: Sequence[Path]) -> str:
    """The last of ``files`` that has the key ``where``, or the deepest part of it."""
    for depth in range(len(where), 0, -1):
        for path in reversed(files):
            found: Any = yaml.safe_load(path.read_text())
            for part in where[:depth]:
                if isinstance(found, list) and part.isdigit() and int(part) < len(found):
                    found = found[int(part)]
                elif isinstance(found, dict) and part in found:
                    found = found[part]
                else:
                    break
            else:
                return str(path)
    return ", ".join(map(str, files)) or "config"
