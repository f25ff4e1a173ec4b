"""Experiments on several models in one job: one table, that of each under each other."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vitexplore.commands import low_pass, scenes, token_mixing
from vitexplore.commands.background_feature import choose
from vitexplore.commands.common import at_sizes
from vitexplore.io import read_tables
from vitexplore.models.registry import ModelSpec, load

VIT = {"name": "vit", "source": "lab", "architecture": "lab_vit", "family": "vit"}
BESIDE = [VIT | {"name": "vit_random", "weights": "random"}, VIT | {"name": "vit_s1", "seed": 1, "weights": "random"}]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    scenes.run(argparse.Namespace(split="test", count=6, workers=1, out=folder))
    return folder


def measure(command, data: Path, out: Path, *specs: dict) -> Path:
    parser = argparse.ArgumentParser()
    command.configure(parser)
    models = ["--spec", *map(json.dumps, specs), "--device", "cpu"]
    command.run(parser.parse_args([*models, "--data", str(data), "--images", "4", "--out", str(out)]))
    return out


@pytest.mark.parametrize("command", [low_pass, token_mixing])
def test_a_table_of_several_models_is_that_of_each_under_each_other(data, tmp_path, command):
    models = [VIT, *BESIDE]
    together = measure(command, data, tmp_path / "together.parquet", *models)
    apart = [measure(command, data, tmp_path / f"{spec['name']}.parquet", spec) for spec in models]
    whole = read_tables([together])
    pd.testing.assert_frame_equal(whole, read_tables(apart))
    assert whole.groupby("model", sort=False)["training_seed"].first().to_dict() == {
        "vit": 0,
        "vit_random": 0,
        "vit_s1": 1,
    }
    assert (pd.read_parquet(together).dtypes == pd.read_parquet(apart[0]).dtypes).loc[["image", "rank"]].all()


def test_a_model_at_the_common_size_is_what_is_loaded_at_that_size():
    spec = ModelSpec("m", "timm", "vit_tiny_patch16_224", "vit", weights="random")
    models = at_sizes(load(spec), 96)
    wanted = load(replace(spec, input_size=96))
    assert list(models) == ["own", "common"]
    assert (models["common"].spec, models["common"].weight_hash) == (wanted.spec, wanted.weight_hash)
    for size in (0, 224):
        assert list(at_sizes(models["own"], size)) == ["own"]


def test_the_backgrounds_feature_is_chosen_among_the_models_own_rows():
    rows = [(block, feature, image) for block in (0, 1) for feature in (0, 1, 2) for image in range(8)]
    table = pd.DataFrame(rows, columns=["block", "feature", "image"])
    mine, other = (
        np.where((table["block"] == 1) & (table["feature"] == f), low, 0.5) for f, low in ((2, 0.3), (0, 0.1))
    )
    both = pd.concat([table.assign(model="vit", auroc=mine), table.assign(model="vit_s1", auroc=other)])
    assert choose(both, "vit") == pytest.approx((1, 2, 0.3, 0.3))
    assert choose(both, "vit_s1") == pytest.approx((1, 0, 0.1, 0.1))
