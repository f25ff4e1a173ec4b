"""One job: models of a group in one table, and what is left of it when it is killed."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from vitexplore.data.scene_sets import write_scenes
from vitexplore.errors import InputError
from vitexplore.graph import Graph
from vitexplore.io import read_tables
from vitexplore.job import How, Session, run
from vitexplore.scale import Scale, parse

HOW = How(torch.device("cpu"), batch=4, workers=0)
VIT = {"source": "lab", "architecture": "lab_vit", "family": "vit"}
MODELS = {
    "vit": VIT,
    "vit_random": VIT | {"weights": "random", "beside": "vit"},
    "vit_s1": VIT | {"weights": "random", "seed": 1, "beside": "vit"},
}


def scale(images: int = 4, models: dict = MODELS, name: str = "s") -> Scale:
    return parse(
        {
            "scale": name,
            "data": {"kind": "scenes", "count": 16},
            "models": models,
            "experiments": {"low_pass": {"images": images}, "token_mixing": {"images": images}},
            "claims": [],
        }
    )


@pytest.fixture
def graph(tmp_path, monkeypatch) -> Callable[..., Graph]:
    """The graph of a scale whose images are there, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def of(**changes) -> Graph:
        found = Graph(scale(**changes))
        if not (found.out / "data").exists():
            write_scenes("test", 16, 1, found.out / "data")
        return found

    return of


@pytest.fixture
def measured(monkeypatch) -> list[str]:
    """The models that are measured from here on."""
    names = []
    model = Session.model

    def told(self, name):
        names.append(name)
        return model(self, name)

    monkeypatch.setattr(Session, "model", told)
    return names


@pytest.mark.parametrize("experiment", ["low_pass", "token_mixing"])
def test_a_table_of_several_models_is_that_of_each_under_each_other(graph, experiment):
    together, apart = graph(), graph(models={n: {**m, "beside": None} for n, m in MODELS.items()}, name="apart")
    run(together, experiment, "vit", HOW)
    for name in MODELS:
        run(apart, experiment, name, HOW)
    whole = read_tables(together.tables(experiment))
    pd.testing.assert_frame_equal(whole, read_tables(apart.tables(experiment)))
    seeds = whole.groupby("model", sort=False)["training_seed"].first().to_dict()
    assert seeds == {"vit": 0, "vit_random": 0, "vit_s1": 1}
    stored = [pq.read_schema(found.tables(experiment)[0]).field("rank").type for found in (together, apart)]
    assert stored[0] == stored[1]


def test_a_job_that_failed_goes_on_with_the_models_that_it_has(graph, measured, monkeypatch):
    found = graph()
    load = Session.model

    def fails(self, name):
        if name == "vit_s1":
            raise MemoryError
        return load(self, name)

    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr(Session, "model", fails)
        run(found, "low_pass", "vit", HOW)
    assert not found.tables("low_pass")[0].exists()
    assert measured == ["vit", "vit_random"]
    measured.clear()
    run(found, "low_pass", "vit", HOW)
    assert measured == ["vit_s1"]
    assert set(pd.read_parquet(found.tables("low_pass")[0])["model"]) == set(MODELS)
    assert not list((found.out / "unfinished/low_pass").iterdir())


def test_what_was_kept_under_another_budget_is_measured_anew(graph, measured, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(OSError, match="full"):
        patched.setattr("vitexplore.job.write_tables", lambda *_: (_ for _ in ()).throw(OSError("full")))
        run(graph(), "low_pass", "vit", HOW)
    measured.clear()
    run(graph(images=5), "low_pass", "vit", HOW)
    assert measured == list(MODELS)


def test_the_key_changes_with_what_the_numbers_rest_on(graph):
    found = graph()
    keys = [Session(found, "low_pass", HOW).key("vit")]
    keys.append(Session(graph(images=5), "low_pass", HOW).key("vit"))
    keys.append(Session(found, "token_mixing", HOW).key("vit"))
    keys.append(Session(found, "low_pass", HOW).key("vit_s1"))
    assert len(set(keys)) == len(keys) == 4
    for how in (replace(HOW, batch=2), replace(HOW, workers=1)):
        assert Session(graph(), "low_pass", how).key("vit") == keys[0]


def test_an_experiment_is_shown_the_scenes_of_its_split(graph):
    main = graph()
    data = main.scale.data.model_copy(update={"splits": {"low_pass": "textured"}})
    found = replace(main, scale=main.scale.model_copy(update={"data": data}))
    write_scenes("textured", 16, 1, found.out / "data_textured")
    sessions = {name: Session(found, name, HOW) for name in ("low_pass", "token_mixing")}
    shown = {name: session.loader.images.table["name"].iloc[0] for name, session in sessions.items()}
    assert shown == {"low_pass": "textured-0", "token_mixing": "test-0"}
    assert sessions["low_pass"].data_hash != sessions["token_mixing"].data_hash
    assert sessions["low_pass"].key("vit") != Session(main, "low_pass", HOW).key("vit")


def test_a_group_that_is_not_there_is_refused_with_those_that_are(graph):
    with pytest.raises(InputError, match="low_pass: no group of models 'vti'; there are vit"):
        run(graph(), "low_pass", "vti", HOW)


def test_nothing_of_a_job_is_written_outside_its_scale(graph):
    run(graph(), "low_pass", "vit", HOW)
    assert {path.name for path in Path().iterdir()} == {"results"}


def test_other_weights_under_the_same_name_are_another_key(graph):
    path = Path("mine.safetensors")
    mine = {"vit": VIT | {"weights": str(path)}}
    keys = set()
    for seed in (0, 1):
        torch.manual_seed(seed)
        save_file({"anything": torch.rand(3)}, path)
        keys.add(Session(graph(models=mine), "low_pass", HOW).key("vit"))
    assert len(keys) == 2


def test_a_part_that_was_being_removed_is_measured_anew(graph, measured, monkeypatch):
    """Killed after the tables were written, while the first of the parts was removed."""
    found = graph()
    removing = shutil.rmtree

    def killed(folder, *options, **more):
        if Path(folder).name.startswith("vit-") and not Path(folder).name.endswith(("scratch", "unfinished")):
            next(Path(folder).iterdir()).unlink()
            raise KeyboardInterrupt
        removing(folder, *options, **more)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("vitexplore.job.shutil.rmtree", killed)
        run(found, "low_pass", "vit", HOW)
    measured.clear()
    run(found, "low_pass", "vit", HOW)
    assert measured == ["vit"]
    assert not list((found.out / "unfinished/low_pass").iterdir())
