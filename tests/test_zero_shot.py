"""Zero-shot answers of the lab's CLIP, and the prompts that they are asked by."""

import numpy as np
import pytest

from vitexplore.data.captions import factor_prompts, phrases
from vitexplore.data.loading import Loader
from vitexplore.data.scene_sets import factors, scene_set
from vitexplore.data.scenes import sample
from vitexplore.measures.factors import scene_words
from vitexplore.measures.zero_shot import zero_shot_table
from vitexplore.models.lab import Tokenizer
from vitexplore.models.registry import load
from vitexplore.models.spec import ModelSpec


@pytest.fixture(scope="module")
def few():
    return scene_set("test", 160)


def test_prompts_can_all_be_read_by_the_lab_clip():
    for values in factor_prompts().values():
        for prompts in values.values():
            assert Tokenizer()(prompts).shape == (len(prompts), 24)


def test_every_value_of_a_factor_has_prompts(few):
    prompts = factor_prompts()
    for factor, values in scene_words(few, np.arange(len(few))).items():
        assert set(values) == set(prompts[factor])


def test_prompts_say_what_captions_say():
    scene = sample("test", 3)
    said, values = phrases(scene), factor_prompts()
    assert said["background"] in values["background"]
    assert said["viewpoint"] in values["viewpoint"]
    assert said["stripes"] in values["stripes"]
    assert factors(scene)["colour"] in values["colour"]


def test_zero_shot_of_class_is_the_heads_accuracy(few):
    clip = load(ModelSpec("clip", "lab", "lab_clip", "clip"))
    found = zero_shot_table(clip, Loader(few, batch=80)).set_index("factor")
    assert found.loc["class", "accuracy"] > 0.7
    assert found.loc["arrangement", "accuracy"] > found.loc["arrangement", "chance"] + 0.2
    assert found.loc["class", "low"] <= found.loc["class", "accuracy"] <= found.loc["class", "high"]
    assert found.loc["time", "chance"] == pytest.approx(max(few.table["night"].mean(), 1 - few.table["night"].mean()))
