"""What a scale asks for: which models take part in which experiment, which jobs that makes, which files they read and
write. Pure functions of the scale; the rules, the jobs and the figures ask here for their paths."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vitexplore.data.downloads import Download, read_list
from vitexplore.errors import InputError, nearest
from vitexplore.experiments import Experiment
from vitexplore.models.spec import ModelSpec
from vitexplore.scale import OTHERS, Scale
from vitexplore.scale_data import DATA, VALIDATION

SHIPPED = Path(__file__).parent / "experiments"
OF_PAPER = ("top", "maps", "visualize", "portraits", "localization")  # tables that the paper's figures are drawn from
CHECKOUT = Path(__file__).parents[2]
INDEX = "images.parquet"  # in a folder of images: which they are
DOWNLOAD = "download:"  # how a place starts that is a public file NAME, or NAME/PATH inside the unpacked one
PLACES = ("images", "boxes", "labels", "instances", "captions")  # of photographs


def table_file(out: Path, name: str, group: str) -> Path:
    """Where the table ``name`` of a group of models lies, under the results' folder ``out``."""
    return out / name / f"{group}.parquet"


def array_file(out: Path, name: str, group: str) -> Path:
    return out / name / f"{group}.npz"


@dataclass(frozen=True)
class Graph:
    """A scale's jobs and files. ``root``: the checkout, from which the shipped files' paths start; results' paths
    start where the run does."""

    scale: Scale
    root: Path = CHECKOUT

    @property
    def out(self) -> Path:
        return Path("results") / self.scale.scale

    @property
    def shipped_weights(self) -> Path:
        return self.root / "src/vitexplore/models/weights"

    # models

    @cached_property
    def experiments(self) -> dict[str, Experiment]:
        """Those that run, by name: some model takes part."""
        return {name: entry for name, entry in self.scale.registry.items() if self.models(name)}

    def models(self, experiment: str) -> list[str]:
        """Names of the models that take part in an experiment, in the scale's order."""
        return self.scale.taking_part(experiment)

    def groups(self, experiment: str) -> dict[str, list[str]]:
        """The models that take part, together those of one job: each with the ones beside it, under its own name, or
        under the first one's where it does not take part itself."""
        groups: dict[str, list[str]] = {}
        for name in self.models(experiment):
            groups.setdefault(self.scale.models[name].beside or name, []).append(name)
        return {leader if leader in members else members[0]: members for leader, members in groups.items()}

    def members(self, experiment: str, group: str) -> list[str]:
        """The models of one job. Raises InputError for a group that does not exist."""
        groups = self.groups(experiment)
        if group not in groups:
            raise InputError(f"{experiment}: no group of models {group!r}; there are {', '.join(groups) or 'none'}")
        return groups[group]

    def spec(self, name: str) -> ModelSpec:
        """The model as jobs load it, with its weights where they lie: only downloads use the network."""
        model = self.scale.models[name]
        if model.published:
            return replace(model.spec, weights=str(self.published(name)))
        return replace(model.spec, weights=str(self.place(model.weights)))

    # files

    def image_index(self, experiment: str) -> Path:
        """The index of an experiment's images."""
        if not self.scale.photos:
            return self.scenes_folder(self.scale.split(experiment)) / INDEX
        return self.out / self.scale.source(self.scale.registry[experiment]) / INDEX

    def scenes_folder(self, split: str) -> Path:
        """Where the scenes of a split lie: ``data`` for the scale's main one."""
        return self.out / (DATA if split == self.scale.data.split else f"data_{split}")

    def splits(self) -> list[str]:
        """What is rendered: the main split, and those of the experiments that run."""
        return list(dict.fromkeys([self.scale.data.split, *map(self.scale.split, self.experiments)]))

    def index_arguments(self, source: str) -> dict[str, Any]:
        """What is listed of photographs for ``source`` (data, validation, or a set): the arguments of `write_index`."""
        found = self.scale.photographs(source)
        places = {name: self.place(text) if (text := getattr(found, name)) else None for name in PLACES}
        return {
            "kind": found.kind,
            "photos": places.pop("images"),
            **places,
            "expected": found.expected,
            "classes": found.classes,
            "images_per_class": found.images_per_class,
        }

    def indexed_paths(self, source: str) -> list[Path]:
        """The files and folders that are read for it, but for downloads."""
        return [Path(text) for text in self._places(source) if not text.startswith(DOWNLOAD)]

    def index_inputs(self, source: str) -> list[Path]:
        """The records of the downloads that are read for it."""
        return [self.downloaded(name) for name in _named(self._places(source))]

    def _places(self, source: str) -> list[str]:
        found = self.scale.photographs(source)
        return [text for name in PLACES if (text := getattr(found, name))]

    def sources(self) -> list[str]:
        """The photographs that are read: those of ``images``, whoever looks at them, and what experiments ask for."""
        asked = [self.scale.source(entry) for entry in self.experiments.values()]
        return list(dict.fromkeys([DATA, *asked]))

    def place(self, text: str) -> Path:
        """Where a file or folder lies that a scale names. Raises InputError for a public file that the project does not
        know."""
        if not text.startswith(DOWNLOAD):
            return Path(text)
        name, _, inside = text.removeprefix(DOWNLOAD).partition("/")
        store = Path(self.scale.store)
        return store / name / inside if inside else store / self.downloads[name].file

    def published(self, name: str) -> Path:
        """The file that the target prefetch makes of a model's published weights."""
        model = self.scale.models[name]
        return Path(self.scale.weights) / f"{'_'.join([model.source, *Path(model.architecture).parts])}.safetensors"

    def weights(self, name: str) -> list[Path]:
        """The files that a model's weights are read from; none for random ones and those inside packages."""
        model = self.scale.models[name]
        if model.random or model.weights.startswith("package:"):
            return []
        if model.published:
            return [self.published(name)]
        if named := _named([model.weights]):
            return [self.downloaded(each) for each in named]
        if model.source != "lab" or model.weights != "pretrained":
            return [Path(model.weights)]
        stem = self.shipped_weights / f"{model.architecture}_s{model.seed}"
        return [stem.with_suffix(".safetensors"), stem.with_suffix(".json")]

    @cached_property
    def downloads(self) -> dict[str, Download]:
        """The public files that are read, by name: those that the scale lists, and those that its places name. Raises
        InputError for one that the project does not know."""
        known = read_list(self.root / "workflow/downloads.yaml")
        places = [text for source in self.sources() for text in self._places(source)] if self.scale.photos else []
        places += [model.weights for model in self.scale.models.values()]
        wanted = list(dict.fromkeys([*self.scale.downloads, *_named(places)]))
        for name in wanted:
            if name not in known:
                raise InputError(f"downloads: no public file {name!r}; did you mean {nearest(name, known)}?")
        return {name: known[name] for name in wanted}

    def downloaded(self, name: str) -> Path:
        """The record that says that a public file is there, whole."""
        return Path(self.scale.store) / f"{name}.json"

    def training_curves(self) -> list[Path]:
        """Of the scale's trained lab models."""
        lab = [self.weights(name)[1] for name, model in self.scale.models.items() if _shipped(model)]
        return sorted({record.with_suffix(".csv") for record in lab})

    def outputs(self, experiment: str, group: str = "{group}") -> list[Path]:
        """What one job writes: the experiment's tables, then its arrays."""
        entry = self.scale.registry[experiment]
        tables = [table_file(self.out, name, group) for name in entry.tables]
        return tables + [array_file(self.out, name, group) for name in entry.arrays]

    def source(self, table: str) -> str:
        """The experiment that makes a table or array. Raises InputError where none does."""
        for name, entry in self.scale.registry.items():
            if table in entry.tables or table in entry.arrays:
                return name
        raise InputError(f"no experiment makes a table {table!r}")

    def tables(self, table: str) -> list[Path]:
        """The files of a table, one a group of models."""
        experiment = self.source(table)
        file_of = table_file if table in self.scale.registry[experiment].tables else array_file
        return [file_of(self.out, table, group) for group in self.groups(experiment)]

    def table(self, table: str, model: str) -> Path:
        """The file in which a model's rows stand."""
        groups = self.groups(self.source(table)).values()
        return next(path for path, members in zip(self.tables(table), groups, strict=True) if model in members)

    def inputs(self, experiment: str, group: str) -> list[Path]:
        """What one job reads beside the images: weights, and other experiments' tables."""
        entry, found = self.experiments[experiment], []
        for name in self.members(experiment, group):
            for other in (name, *entry.others(self.scale, name)):
                found += self.weights(other)
            found += [self.table(table, model) for table, model in entry.reads(self.scale, name)]
        return list(dict.fromkeys(found))

    def asked(self, experiment: str, group: str) -> dict[str, Any]:
        """What of the scale one job depends on, as plain values: a change of anything else reruns nothing of it."""
        return {name: self.asked_of(experiment, name) for name in self.members(experiment, group)}

    def asked_of(self, experiment: str, name: str) -> dict[str, Any]:
        """The same for one model of the job."""
        entry = self.experiments[experiment]
        return {
            "options": self.scale.options(experiment).model_dump(mode="json"),
            "settings": entry.settings(self.scale, name),
            "preprocessing": self.preprocessing(experiment),
            "models": [asdict(self.spec(each)) for each in (name, *entry.others(self.scale, name))],
        }

    def priority(self, experiment: str) -> int:
        """Higher starts earlier. Experiments with scratch take longest, so they start first, after what they read: the
        one with the longest job before the others."""
        read: set[str] = set()
        for name, entry in self.experiments.items():
            pairs = [pair for model in self.models(name) for pair in entry.reads(self.scale, model)]
            read |= {self.source(table) for table, _ in pairs if entry.scratch}
        long = [name for name, entry in self.experiments.items() if entry.scratch and name not in read]
        order = sorted(long, key=self._longest_job)
        if experiment in read:
            return len(order) + 1
        return order.index(experiment) + 1 if experiment in order else 0

    def _longest_job(self, experiment: str) -> float:
        """Of an experiment, in forward passes."""
        entry, options = self.experiments[experiment], self.scale.options(experiment)
        jobs = self.groups(experiment).values()
        return max(sum(entry.cost(options, self.scale.models[name].family).passes for name in job) for job in jobs)

    def preprocessing(self, experiment: str) -> str:
        found = self.scale.preprocessing
        return found.get(experiment, found.get(OTHERS, "own"))

    def sheets(self) -> list[tuple[str, str]]:
        """Model and depth of each sheet of visualizations."""
        entry = self.experiments.get("visualize")
        models = self.models("visualize")
        return [(name, depth) for name in models for depth in entry.settings(self.scale, name)["depths"]]

    def figure(self, name: str) -> Path:
        return self.out / "figures" / f"{name}.png"

    def preview(self, name: str) -> Path:
        """A small copy of a figure, for the report."""
        return self.out / "report" / f"{name}.webp"

    def summary(self, name: str) -> Path:
        """A table for people."""
        return self.out / "tables" / f"{name}.csv"

    def by_image(self, claim: str) -> Path:
        """What single images say of a claim."""
        return self.out / "claims" / f"{claim}_images.csv"

    @property
    def paper_data(self) -> Path:
        """The folder that the paper's figures are drawn from."""
        return self.out / "tables" / "paper"

    def paper_inputs(self) -> list[Path]:
        """The tables that this folder is made of, and the index of the images that are shown."""
        images = [self.image_index("collect")] if self.models("collect") else []
        return images + [path for table in OF_PAPER for path in self.tables(table)]

    def data_figures(self) -> dict[Path, Path]:
        """The sheet of each folder of images."""
        if self.scale.photos:
            shown = [source for source in self.sources() if source != VALIDATION]
            return {self.out / source: self.figure(_sheet(source)) for source in shown}
        folders = map(self.scenes_folder, self.splits())
        return {folder: self.figure(folder.name.replace("data", "scenes")) for folder in folders}

    def training(self) -> list[Path]:
        return [self.figure("training"), self.summary("training")] if self.training_curves() else []

    def sheet_figures(self) -> list[Path]:
        return [self.figure(f"visualizations_{name}_{depth}") for name, depth in self.sheets()]

    def top_images_models(self) -> list[str]:
        """Models whose most activating images are shown."""
        visualized = self.models("visualize")
        return [name for name in self.models("collect") if name in visualized]

    def top_images_figures(self) -> list[Path]:
        return [self.figure(f"top_images_{name}") for name in self.top_images_models()]

    def portrait_figures(self, what: str) -> list[Path]:
        """Of ``what``: depth or concepts."""
        return [self.figure(f"{what}_{name}") for name in self.models("portraits")]

    def portrait_tables(self) -> list[Path]:
        return [self.summary(f"depth_{name}") for name in self.models("portraits")]

    def zero_shot(self) -> list[Path]:
        return [self.figure("zero_shot"), self.summary("zero_shot")] if self.models("zero_shot") else []

    def accuracies(self) -> list[Path]:
        return [self.summary(name) for name in ("background", "low_pass") if self.models(name)]

    def results(self) -> list[Path]:
        """All that a whole run makes."""
        own = [name for name, entry in self.experiments.items() if entry.path.parent != SHIPPED]
        return [
            self.out / "claims.csv",
            self.out / "claims.md",
            self.out / "claims.html",
            *self.accuracies(),
            *self.data_figures().values(),
            *self.training(),
            *self.sheet_figures(),
            *self.top_images_figures(),
            *(path for what in ("depth", "concepts") for path in self.portrait_figures(what)),
            *self.zero_shot(),
            self.out / "figures" / "paper.csv",
            *(path for name in own for group in self.groups(name) for path in self.outputs(name, group)),
        ]


def _named(places: Iterable[str]) -> list[str]:
    """The public files that ``places`` name, each once."""
    named = [text.removeprefix(DOWNLOAD).partition("/")[0] for text in places if text.startswith(DOWNLOAD)]
    return list(dict.fromkeys(named))


def _sheet(source: str) -> str:
    return "photos" if source == DATA else f"photos_{source}"


def _shipped(model: Any) -> bool:
    return model.source == "lab" and model.weights == "pretrained"
