"""The paper's claims on one model: a scale made for it, its run, its rows, and a file of them for the leaderboard."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from string import ascii_lowercase, digits
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import yaml
from rich.console import Console
from rich.table import Table

from vitexplore.claims.alone import compares_families
from vitexplore.claims.entry import Subject, entry_of, shown_rows
from vitexplore.claims.paper import own_weights
from vitexplore.claims.render import interval
from vitexplore.claims.run import run_record
from vitexplore.claims.text import Claim, claims_in_order
from vitexplore.data.shapes import CLASSES
from vitexplore.errors import InputError
from vitexplore.experiments.collect import DRAWN
from vitexplore.graph import CHECKOUT, INDEX, Graph
from vitexplore.io import sha256, write_json, write_text
from vitexplore.models.registry import checkpoint_path, load
from vitexplore.models.spec import ModelSpec
from vitexplore.registry import shipped
from vitexplore.scale import read
from vitexplore.tools.replicate import run_claims
from vitexplore.tools.report import LAB

PHOTOS = CHECKOUT / "workflow/scales/photos.yaml"
ASSESSED = Path("results/assess")
CLASSIFIED = ("token_mixing", "background", "low_pass")  # experiments that ask a model for the class
LAB_JUDGE = "cnn"  # of the lab's scale: it judges transformers' pictures
IMAGENET = 1000  # classes
WIDE = 160  # columns of a table that is not written to a terminal
PACKAGE = "package:"  # how the weights of a package begin


@dataclass(frozen=True)
class Asked:
    """What is assessed: ``model``, where it is named ``against`` one of another family; on the lab's scenes, or on the
    photographs of ``images`` with their ``boxes``. Raises InputError for models and images that do not go together, and
    for a checkpoint under the name of the paper's own weights."""

    model: ModelSpec
    against: ModelSpec | None = None
    images: Path | None = None
    boxes: Path | None = None

    def __post_init__(self) -> None:
        lab = self.model.source == "lab"
        if lab and self.images:
            raise InputError(f"{self.model.name} knows the lab's scenes alone: leave --images out")
        if not lab and not self.images:
            raise InputError(f"{self.model.name} needs photographs: add --images DIR")
        if self.boxes and not self.images:
            raise InputError("--boxes are those of photographs: add --images DIR")
        for model in self.models:
            if _own_file(model) and own_weights(pd.Series([_architecture(model)])).all():
                mend = "name the architecture without that tag"
                raise InputError(f"{model.name} is the name of the paper's weights, not of your checkpoint's: {mend}")
        if self.against is None:
            return
        if (self.against.source == "lab") != lab:
            raise InputError(f"{self.model.name} and {self.against.name} look at different images; name two alike")
        if self.against.family == self.model.family:
            mend = "name a model of another family"
            raise InputError(f"--against {self.against.name}: it is of the family {self.model.family} too; {mend}")

    @property
    def name(self) -> str:
        """Of ``model`` among the results."""
        return slug(self.model)

    @property
    def models(self) -> list[ModelSpec]:
        return [self.model, *([self.against] if self.against else [])]

    @property
    def template(self) -> Path:
        """The scale from which data and budgets are taken."""
        return PHOTOS if self.images else LAB


def slug(model: ModelSpec) -> str:
    """A name for results, of a model and, where it has a checkpoint of a user's, of that."""
    words = f"{model.name} {Path(_own_file(model)).stem}".lower()
    return "".join(x if x in ascii_lowercase + digits else "_" for x in words.strip())


def _own_file(model: ModelSpec) -> str:
    """The file name of a checkpoint of a user's; empty where the weights are a library's, the lab's or a package's."""
    return "" if model.weights == "pretrained" or model.weights.startswith(PACKAGE) else Path(model.weights).name


def assess(asked: Asked, cores: str, template: Path | None = None) -> int:
    """Decide the claims that suit ``asked``, print their rows, and write results/assess/<name>/claims.json, of
    workflow/schemas/entry.schema.json. Tables stay in results/assess_<name>, where an interrupted run goes on.
    ``template``: another scale to take data and budgets from. The exit code is Snakemake's, or 130 after a signal.
    Raises InputError where no claim suits."""
    claims = {name: claim for name, claim in claims_in_order(CHECKOUT / "analyses").items() if claim}
    text, left_out = scale_of(asked, claims, yaml.safe_load((template or asked.template).read_text()))
    folder = Path("results") / text["scale"]
    own = folder / "scale.yaml"
    write_text(own, yaml.safe_dump(text, sort_keys=False))
    if code := run_claims([own], folder, text["claims"], cores):
        return code
    graph = Graph(read(own))
    entry = entry_of(
        [claims[name] for name in text["claims"]],
        folder / "claims",
        left_out,
        [_subject(graph, model) for model in asked.models],
        _data(graph),
        run_record(graph.scale.scale, read_by(graph, claims), CHECKOUT, graph.scale.rehearsal),
    )
    path = ASSESSED / asked.name / "claims.json"
    write_json(path, entry)
    console = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE)
    console.print(_printed(entry))
    for name, why in left_out.items():
        console.print(f"{name}: not run: {why}")
    console.print(str(path))
    return 0


def scale_of(
    asked: Asked, claims: Mapping[str, Claim], template: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """A scale for ``asked`` with the data and the budgets of ``template``, and by name of the ``claims`` that it
    leaves out, why. Raises InputError where it would leave out all."""
    known = {name: _tells(model, IMAGENET if asked.images else len(CLASSES)) for name, model in _by_name(asked).items()}
    why = {name: _unsuited(asked, claim, template, known[asked.name]) for name, claim in claims.items()}
    suited = [claims[name] for name, reason in why.items() if not reason]
    left_out = {name: reason for name, reason in why.items() if reason}
    if not suited:
        raise InputError(f"no claim suits {asked.model.name}: {next(iter(left_out.values()))}")
    experiments = {asked.name: {claim.experiment for claim in suited}}
    if asked.against:
        compared = {claim.experiment for claim in suited if compares_families(claim)}
        experiments[slug(asked.against)] = {x for x in compared if known[slug(asked.against)] or x not in CLASSIFIED}
    text: dict[str, Any] = {key: value for key, value in template.items() if key not in ("judges", "models")}
    text |= {"scale": f"assess_{asked.name}", "claims": [claim.name for claim in suited]}
    text["models"] = dict(_models(asked, experiments))
    text |= {key: str(path) for key, path in (("images", asked.images), ("boxes", asked.boxes)) if path}
    if experiments[asked.name] & set(DRAWN):
        text["judges"] = {asked.name: _judge(asked)}
    if not asked.images:  # the lab's that judge and name features
        judges = [options["judge"] for options in template["experiments"].values() if "judge" in options]
        of_lab = [*judges, *(name for name in text.get("judges", {}).values() if name not in text["models"])]
        text["models"] |= {name: {**template["models"][name], "experiments": [], "beside": None} for name in of_lab}
    return text, left_out


def _by_name(asked: Asked) -> dict[str, ModelSpec]:
    return {slug(model): model for model in asked.models}


def _models(asked: Asked, experiments: Mapping[str, set[str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The models that are asked for by name, each ViT with its twin with random weights."""
    for name, model in _by_name(asked).items():
        takes_part = sorted(experiments[name])
        yield name, _as_text(model) | {"experiments": takes_part}
        if model.family == "vit":
            twin = _as_text(replace(model, weights="random", key_map={}, match="name"))
            control = [x for x in takes_part if x not in (*CLASSIFIED, *DRAWN)]  # where no answers count
            yield f"{name}_random", twin | {"beside": name, "experiments": control}


def _judge(asked: Asked) -> str:
    """The name of the model that judges pictures; empty where there is none."""
    if asked.against:
        return slug(asked.against)
    return "" if asked.images else LAB_JUDGE


def _as_text(model: ModelSpec) -> dict[str, Any]:
    """The model as a scale file has it: what differs from a spec's defaults."""
    given = {}
    for each in fields(ModelSpec):
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        if each.name != "name" and (value := getattr(model, each.name)) != default:
            given[each.name] = list(value) if isinstance(value, tuple) else value
    return given


def _tells(model: ModelSpec, classes: int) -> bool:
    """Whether it says which of the data's ``classes`` an image is of. Built with random weights, which is quick."""
    if model.family == "clip":
        return True
    width = getattr(load(replace(model, weights="random")).module, "num_classes", None)  # torchvision's do not say
    return width in (None, classes)


def _unsuited(asked: Asked, claim: Claim, template: Mapping[str, Any], tells: bool) -> str:
    """Why the claim does not suit; empty where it does."""
    if asked.model.name in (reasons := claim.text.get("left_out", {})):
        return reasons[asked.model.name]
    if claim.experiment not in template["experiments"]:
        return f"{claim.experiment} is not measured on {'photographs' if asked.images else 'scenes'} here"
    if asked.model.family != "vit" and not compares_families(claim):
        return "is about ViTs"
    if claim.experiment in CLASSIFIED and not tells:
        return f"{asked.model.name} does not tell the images' classes"
    if "boxes" in shipped()[claim.experiment].needs and asked.images and not asked.boxes:
        return "needs the objects' boxes: add --boxes DIR"
    if claim.experiment in DRAWN and not _judge(asked):
        return "needs a model that judges pictures: add --against MODEL"
    return ""


def _subject(graph: Graph, model: ModelSpec) -> Subject:
    """With the hash of the file that its weights were read from."""
    spec = graph.spec(slug(model))
    file = checkpoint_path(spec.weights) if spec.weights.startswith(PACKAGE) else graph.weights(slug(model))[0]
    return Subject(model.name, slug(model), _architecture(model), model.family, _own_file(model), sha256(file))


def _architecture(model: ModelSpec) -> str:
    """As tables name it."""
    return f"{model.source}/{model.architecture}"


def _data(graph: Graph) -> dict[str, Any]:
    """Which images were looked at, the lab's main split."""
    folder = graph.out / "data"
    images = pq.read_metadata(folder / INDEX).num_rows
    found = json.loads((folder / "provenance.json").read_text())["hash"]
    return {"kind": graph.scale.data.kind, "images": images, "sha256": found}


def read_by(graph: Graph, claims: Mapping[str, Claim]) -> list[Path]:
    """The tables that the claims of the graph's scale rest on: their own, and what the judges of pictures make of
    images."""
    tables = {table for name in graph.scale.claims for table in claims[name].tables}
    judges = {"embed"} if graph.scale.judges else set()
    return sorted(path for table in tables | judges for path in graph.tables(table))


def _printed(entry: Mapping[str, Any]) -> Table:
    table = Table("claim", "statement", "measured (95% interval)", "wanted", "word")
    for row in shown_rows(entry):
        wanted = "" if row["word"] is None else f"{row['direction']} {row['margin']:g}"
        measured = interval({"measured": row["value"], "low": row["low"], "high": row["high"]})
        table.add_row(row["claim"], row["statement"], measured, wanted, row["word"] or "(its own term)")
    return table
