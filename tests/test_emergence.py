"""ViTs of growing size are what their names say; each is measured as the claims on tokens measure any model."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import timm
import yaml

from vitexplore.claims.text import claims_in_order
from vitexplore.errors import InputError
from vitexplore.figures.emergence import AXES, USUAL, along, drawn
from vitexplore.graph import CHECKOUT
from vitexplore.models.lab import SIZES
from vitexplore.models.registry import lab_folder
from vitexplore.models.train import GROWN, RECIPES
from vitexplore.planted.lab import Budget
from vitexplore.tools.emergence import CLAIMS, measure

SHAPES = {"": (8, 64), "_d4": (4, 64), "_d12": (12, 64), "_w32": (8, 32), "_w128": (8, 128)}  # depth, width


@pytest.mark.parametrize("name", ["lab_vit", *SIZES])
def test_a_vit_has_the_shape_that_it_is_named_after(name):
    model = timm.create_model(name)
    assert (len(model.blocks), model.embed_dim) == SHAPES[name.removeprefix("lab_vit")]
    assert model.embed_dim // model.blocks[0].attn.num_heads == 16


@pytest.mark.parametrize("name", GROWN)
def test_a_recipe_sees_as_many_images_as_it_is_named_after(name):
    recipe = GROWN[name]
    seen = sum(stage.images * stage.epochs for stage in recipe.stages)
    assert seen == pytest.approx(1000 * int(name.rpartition("_")[2].removesuffix("k")), rel=0.02)
    assert name.startswith(recipe.architecture)


def test_the_schedule_of_other_families_is_kept_where_the_steps_are_theirs():
    mine, theirs = GROWN["lab_vit_75k"], RECIPES["lab_deit"]
    assert (mine.stages, mine.horizon, mine.cooldown) == (theirs.stages, theirs.horizon, theirs.cooldown)


def test_the_rules_list_every_recipe():
    text = (CHECKOUT / "workflow/rules/emergence.smk").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("GROWN = ")]
    sizes = yaml.safe_load(line[line.index("(") :].rstrip("]").replace("(", "[").replace(")", "]"))
    assert {f"lab_vit_{size}" for size in sizes} == set(GROWN)


@pytest.fixture(scope="module")
def of_the_lab() -> pd.DataFrame:
    budget = Budget(images=64, concepts=64)
    return measure(lab_folder() / "lab_vit_s0.safetensors", claims_in_order(CHECKOUT / "analyses"), budget)


def test_each_claim_on_tokens_is_measured_without_a_verdict(of_the_lab):
    assert set(of_the_lab["claim"]) == set(CLAIMS)
    assert "word" not in of_the_lab
    assert set(of_the_lab.loc[of_the_lab["measured"].isna(), "statement"]) <= {"half_of_the_range"}
    assert set(zip(of_the_lab["depth"], of_the_lab["width"], strict=True)) == {(8, 64)}
    record = json.loads((lab_folder() / "lab_vit_s0.json").read_text())
    assert set(of_the_lab["test_top1"]) == {record["test_top1"]}


def test_along_each_axis_stand_the_networks_that_differ_in_it_alone(of_the_lab):
    usual = of_the_lab.assign(model=USUAL, images_seen=73_728)
    deeper, wider = usual.assign(model="deep", depth=12), usual.assign(model="wide", width=128)
    both = usual.assign(model="both", depth=12, width=128)
    table = pd.concat([of_the_lab, usual, deeper, wider, both])
    assert [set(along(table, name)["model"]) for name in AXES] == [
        {USUAL, "deep"},
        {USUAL, "wide"},
        {USUAL, "lab_vit_s0"},
    ]
    figure = drawn(table, dict.fromkeys(CLAIMS, 0.1))
    ticks = [[label.get_text() for label in axis.get_xticklabels()] for axis in figure.axes[-3:]]
    assert ticks == [["8", "12"], ["64", "128"], ["74 k", "123 k"]]


def test_weights_without_a_record_are_refused(tmp_path):
    weights = Path(shutil.copy(lab_folder() / "lab_vit_s0.safetensors", tmp_path))
    with pytest.raises(InputError, match=r"lab_vit_s0\.json: no such file"):
        measure(weights, {})
