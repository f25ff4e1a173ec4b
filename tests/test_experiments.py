"""The contract of every experiment: documented options, the tables that it declares, a cost that can be trusted; and
the registry's refusals."""

import os
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from vitexplore.data.scene_sets import write_scenes
from vitexplore.errors import InputError
from vitexplore.graph import Graph
from vitexplore.job import How, Session, run
from vitexplore.registry import find, registry, shipped
from vitexplore.scale import parse

IMAGES = 40
SCENES = 200  # a concept needs 30 of either kind in each half
RECIPE = {"name": "paper", "steps": 3, "copies": 2}
DRAWN = {"features": 2, "depths": ["middle"], "images": 20, "recipes": [RECIPE]}
OF_VIT = [name for name in shipped() if name not in ("embed", "zero_shot")]
SCALE = {
    "scale": "contract",
    "data": {"kind": "scenes", "split": "test", "count": SCENES},
    "models": {
        "vit": {"source": "lab", "architecture": "lab_vit", "family": "vit", "experiments": OF_VIT},
        "cnn": {"source": "lab", "architecture": "lab_cnn", "family": "cnn", "experiments": ["embed"]},
        "clip": {"source": "lab", "architecture": "lab_clip", "family": "clip", "experiments": ["zero_shot"]},
    },
    "judges": {"vit": "cnn"},
    "experiments": {
        "collect": {"images": IMAGES, "k": 6, "shards": 2},
        "embed": {"images": IMAGES},
        "responses": {"images": IMAGES, "views": 4},
        "visualize": DRAWN,
        "variants": DRAWN,
        "ablation": {**DRAWN, "sites": ["ffn"], "left_out": ["tv", "jitter"], "alone": ["nothing"]},
        "locality": {"images": IMAGES, "patch": 8},
        "localization": {"images": IMAGES, "features": 10},
        "token_mixing": {"images": IMAGES},
        "pooling": {"images": IMAGES},
        "background": {"images": IMAGES, "common_size": 0},
        "low_pass": {"images": IMAGES, "common_size": 0},
        "features": {"images": SCENES, "judge": "clip", "words": 10},
        "concepts": {"images": SCENES, "judge": "clip"},
        "zero_shot": {"images": IMAGES},
        "portraits": {"recipe": RECIPE, "seeds": 2},
    },
    "claims": [],
}
LAST = ("ablation", "portraits", "variants", "visualize")  # read others' tables
IN_ORDER = [*(name for name in shipped() if name not in LAST), *LAST]


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict[str, float]:
    """Every experiment run in a folder of its own: the forward passes that each took."""
    before, folder = Path.cwd(), tmp_path_factory.mktemp("contract")
    os.chdir(folder)
    graph = Graph(parse(SCALE))
    write_scenes("test", SCENES, 1, graph.out / "data")
    passes = {}
    for name in IN_ORDER:
        (group,) = graph.groups(name)
        how = How(torch.device("cpu"), batch=32, workers=0)
        with FlopCounterMode(display=False) as counter:
            run(graph, name, group, how)
        passes[name] = counter.get_total_flops() / flops_of_a_pass(Session(graph, name, how), group)
    yield passes
    os.chdir(before)


def flops_of_a_pass(session: Session, name: str) -> float:
    model = session.model(name)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.trunk(torch.zeros(1, 3, model.spec.input_size, model.spec.input_size))
    return counter.get_total_flops()


def test_the_scale_of_this_test_has_every_experiment():
    assert set(SCALE["experiments"]) == set(shipped())


@pytest.mark.parametrize("name", shipped())
def test_options_are_documented(name):
    for option, field in shipped()[name].options.model_fields.items():
        described = field.description or (field.annotation.__doc__ if hasattr(field.annotation, "model_fields") else "")
        assert described, f"{name}: {option}"


@pytest.mark.parametrize("name", shipped())
def test_a_module_says_what_it_is_in_one_sentence(name):
    entry = shipped()[name]
    assert entry.name == entry.path.stem == name
    assert 20 < len(entry.title) < 240 and entry.title.endswith(".")


@pytest.mark.parametrize("name", shipped())
def test_tables_are_as_declared(measured, name):
    graph, entry = Graph(parse(SCALE)), shipped()[name]
    (model,) = graph.groups(name)
    for table in entry.tables:
        found = pd.read_parquet(graph.table(table, model))
        assert len(found) and {"model", "weights", "data", "device", "libraries"} <= set(found)
        if not any("*" in column or "[" in column for column in entry.tables[table]):
            assert tuple(found.columns)[: len(entry.tables[table])] == entry.tables[table]
    assert not list((graph.out / "unfinished").glob("*/*"))


@pytest.mark.parametrize("name", shipped())
def test_the_cost_is_within_a_factor_of_two_of_counted_passes(measured, name):
    scale, family = parse(SCALE), {"embed": "cnn", "zero_shot": "clip"}.get(name, "vit")
    wanted = shipped()[name].cost(scale.options(name), family).passes
    assert wanted / 2 <= measured[name] <= 2 * wanted


def test_an_experiment_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(InputError, match=r"no experiment 'localty'; there are ablation, .*locality"):
        find("localty")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("missing", None, "modules: no file .*missing.py"),
        ("empty", "X = 1\n", "empty.py: declares no EXPERIMENT"),
        ("locality", "X = 1\n", "there is an experiment locality already"),
        (
            "mine",
            "from vitexplore.experiments.embed import EXPERIMENT\n",
            "mine.py: there is a table embed already; give it another name",
        ),
    ],
)
def test_a_users_module_that_is_none_is_refused(tmp_path, name, text, message):
    path = tmp_path / f"{name}.py"
    if text:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        registry([path])


def test_tables_other_than_declared_are_refused():
    entry = shipped()["localization"]
    others = {"localization_images": pd.DataFrame(columns=["image"]), "trivial_maps": pd.DataFrame()}
    with pytest.raises(InputError, match="localization: table localization has an undeclared extra, no auroc"):
        entry.found({"localization": pd.DataFrame(columns=["block", "feature", "extra", "control"]), **others})
    with pytest.raises(InputError, match="localization: measure gives other, not localization, localization_images"):
        entry.found({"other": pd.DataFrame()})
