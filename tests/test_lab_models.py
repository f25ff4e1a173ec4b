"""The shipped lab models are those of their records, and as good as the lab needs."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from vitexplore.data.scenes import COLOURS, draw_split, sample
from vitexplore.data.shapes import CLASSES
from vitexplore.io import sha256
from vitexplore.models.heads import TEXTS_AT_ONCE, Head, make_head, text_embeddings
from vitexplore.models.registry import ModelSpec, lab_folder, lab_record, load
from vitexplore.models.train import RECIPES, normalise
from vitexplore.models.variants import NAMES

VARIANT_FLOORS = dict.fromkeys(NAMES, 0.80)
FLOORS = {"lab_vit": 0.90, "lab_cnn": 0.93, "lab_clip": 0.70, **VARIANT_FLOORS}  # top-1 on the test split
COUNT = 2000
FAMILY = {"lab_cnn": "cnn", "lab_clip": "clip"}  # the others are ViTs


SHIPPED = sorted(tuple(path.stem.rsplit("_s", 1)) for path in lab_folder().glob("*.json"))  # recipe, seed


def test_every_recipe_has_a_shipped_model():
    assert {name for name, _ in SHIPPED} == set(RECIPES)


@pytest.mark.parametrize("name, seed", SHIPPED)
def test_record_is_of_this_file_and_recipe(name, seed):
    record, recipe = lab_record(name, int(seed)), RECIPES[name]
    assert record["recipe"]["seed"] == int(seed)
    assert record["sha256"] == sha256(lab_folder() / f"{name}_s{seed}.safetensors")
    assert record["recipe"]["stages"] == [vars(stage) for stage in recipe.stages]
    assert record["recipe"]["learning_rate"] == recipe.learning_rate
    curve = pd.read_csv(lab_folder() / f"{name}_s{seed}.csv")
    assert len(curve) == sum(stage.epochs for stage in recipe.stages)
    assert record["images_seen"] == sum(s.images // recipe.batch * recipe.batch * s.epochs for s in recipe.stages)
    assert record["validation_top1"] == pytest.approx(curve["validation_top1"].iloc[-1], abs=1e-3)


@pytest.mark.parametrize("name, seed", [shipped for shipped in SHIPPED if shipped[0] in FLOORS])
def test_record_reaches_its_floor_on_the_test_split(name, seed):
    assert lab_record(name, int(seed))["test_top1"] >= FLOORS[name]


def test_clip_on_shuffled_captions_learned_nothing_in_the_same_time():
    record, own = lab_record("lab_clip_shuffled", 0), lab_record("lab_clip", 0)
    assert {**record["recipe"], "shuffled": False} == own["recipe"]
    assert record["test_top1"] < 2 / 16


@pytest.fixture(scope="module")
def test_split():
    pixels, _, _ = draw_split("test", COUNT, workers=2)
    return normalise(pixels), np.array([sample("test", index).label for index in range(COUNT)])


@torch.no_grad()
def answers(head: Head, images: torch.Tensor) -> np.ndarray:
    return torch.cat([head(images[start : start + 250]).argmax(1) for start in range(0, len(images), 250)]).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOORS)
def test_model_reaches_its_floor_when_measured_anew(name, test_split):
    images, labels = test_split
    model = load(ModelSpec("m", "lab", name, FAMILY.get(name, "vit")))
    head = make_head(model, tuple(str(label) for label in range(16)))
    found = answers(head, images)
    assert (found == labels).mean() >= FLOORS[name]
    assert (found == labels).mean() == pytest.approx(lab_record(name, 0)["test_top1"], abs=0.02)


@pytest.mark.slow
def test_zero_shot_rests_on_the_prompts(test_split):
    """With each class's prompts given to its neighbour the same CLIP is at chance or below."""
    images, labels = test_split
    head = make_head(load(ModelSpec("m", "lab", "lab_clip", "clip")), tuple(str(label) for label in range(16)))
    shuffled = Head(head.model, head.text.roll(1, dims=1))
    assert (answers(shuffled, images[:500]) == labels[:500]).mean() < 2 / 16


def test_records_are_plain_json():
    for path in lab_folder().glob("*.json"):
        assert json.loads(path.read_text())["world"] == 1


def test_words_are_embedded_many_at_a_time_as_one_by_one():
    clip = load(ModelSpec("c", "lab", "lab_clip", "clip"))
    prompts = [[f"a {colour} {CLASSES[0]}", f"one {colour} {CLASSES[1]} at night"] for colour in COLOURS] * 8 + [
        ["many"]
    ]
    assert sum(map(len, prompts)) > TEXTS_AT_ONCE
    together = text_embeddings(clip, prompts)
    alone = torch.cat([text_embeddings(clip, [texts]) for texts in prompts], dim=1)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
