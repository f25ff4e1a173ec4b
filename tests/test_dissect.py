"""Words for features: the formula written out, planted features, and what a judge says of each image."""

import numpy as np
import pandas as pd
import pytest
import torch

from vitexplore.data.captions import factor_prompts
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader, preprocess
from vitexplore.data.scene_sets import scene_set
from vitexplore.measures import dissect
from vitexplore.measures.dissect import (
    FIRST,
    LAST,
    ONE_OF,
    SOFTNESS,
    TOP,
    answers,
    contrasted,
    joined,
    judged,
    labels,
    soft_wpmi,
    words_of,
)
from vitexplore.models.lab import Tokenizer
from vitexplore.models.registry import load
from vitexplore.models.spec import ModelSpec

RNG = np.random.default_rng(0)


def test_soft_wpmi_is_its_formula():
    acts_nf, logits_nw = RNG.random((600, 3)), RNG.uniform(-20, 20, (600, 4))
    top = 600 // ONE_OF
    given = np.zeros((3, 4))
    for f in range(3):
        order = sorted(range(600), key=lambda image: -acts_nf[image, f])[:top]
        for place, image in enumerate(order):
            chosen = np.exp(SOFTNESS * logits_nw[image])
            member = FIRST + (LAST - FIRST) * place / (top - 1)
            given[f] += np.log(1 + member * (chosen / chosen.sum() - 1))
    expected = given - np.log(np.exp(given).mean(0))
    assert soft_wpmi(acts_nf, logits_nw) == pytest.approx(expected)


def test_no_more_than_a_hundred_images_stand_for_a_feature():
    acts_nf, logits_nw = RNG.random((6000, 2)), RNG.uniform(-20, 20, (6000, 3))
    order = np.argsort(-acts_nf, axis=0)
    changed = logits_nw.copy()
    changed[list(set(range(6000)) - set(order[:TOP].ravel()))] = 0
    assert np.array_equal(soft_wpmi(acts_nf, changed), soft_wpmi(acts_nf, logits_nw))


def test_each_feature_is_named_by_the_word_of_its_images():
    shown = np.arange(600) % 3
    logits_nw = 20 + 10 * (shown[:, None] == np.arange(3)) + 2 * RNG.normal(size=(600, 3))
    acts_nf = (shown[:, None] == np.array([2, 0, 1])) + 0.1 * RNG.random((600, 3))
    table = labels(soft_wpmi(acts_nf, logits_nw), ["car", "dog", "tree"])
    assert table["word_1"].tolist() == ["tree", "car", "dog"]
    assert (table["score_1"] > table["score_2"]).all()


def test_a_word_that_suits_all_images_names_no_feature():
    shown = np.arange(400) % 2
    logits_nw = np.stack([10 * (shown == 0), 10 * (shown == 1), np.full(400, 50)], axis=1)
    acts_nf = np.stack([shown == 0, shown == 1], axis=1) + 0.1 * RNG.random((400, 2))
    assert labels(soft_wpmi(acts_nf, logits_nw), ["a", "b", "thing"])["word_1"].tolist() == ["a", "b"]


def test_fewer_images_and_words_than_are_wanted():
    table = labels(soft_wpmi(RNG.random((5, 2)), RNG.random((5, 2))), ["a", "b"])
    assert list(table.columns) == ["word_1", "score_1", "word_2", "score_2"]


@torch.no_grad()
def test_a_judges_logits_are_its_scale_times_cosines_of_each_image_and_word():
    few, indices = scene_set("test", 6), np.array([4, 0, 3])
    judge = load(ModelSpec("judge", "lab", "lab_clip", "clip"))
    prompts = words_of(few, 10)
    words, logits_nw = list(prompts), judged(judge, Loader(few, batch=2, indices=indices), prompts)
    assert logits_nw.shape == (3, len(words))
    for row, index in enumerate(indices):
        image = judge.module.encode_image(preprocess(judge.spec)(few.image(index))[None])[0]
        for column in (0, 7, len(words) - 1):
            texts = judge.module.encode_text(Tokenizer()(prompts[words[column]]), normalize=True).mean(0)
            cosine = torch.cosine_similarity(image, texts, dim=0)
            wanted = float(judge.module.logit_scale.exp() * cosine)
            assert logits_nw[row, column] == pytest.approx(wanted, abs=1e-3)


def test_words_of_scenes_are_their_captions_and_of_photographs_common_ones(monkeypatch):
    monkeypatch.setattr(dissect, "common_words", lambda count: ["dog", "grass", "red"][:count])
    said = words_of(scene_set("test", 2), 2)
    assert set(said) == {word for values in factor_prompts().values() for word in values}
    assert words_of(ImageSet(pd.DataFrame({"label": [0]}), ("a",)), 2) == {"dog": ["dog"], "grass": ["grass"]}


def test_an_answer_for_a_scene_is_a_logit_less_those_of_the_other_words_of_its_factor():
    factors = factor_prompts()
    words = list(joined(factors))
    assert len(words) == sum(map(len, factors.values()))  # no word is of two factors
    logits_nw = RNG.normal(size=(3, len(words)))
    found = contrasted(logits_nw, factors)
    many, one, both = (logits_nw[:, words.index(word)] for word in ("many", "one", "before and after"))
    assert set(found) == set(words)
    assert found["many"] == pytest.approx(many - (one + both) / 2)
    night, day = (logits_nw[:, words.index(word)] for word in ("at night", "by day"))
    assert found["at night"] == pytest.approx(night - day)


def test_an_answer_without_others_of_its_factor_is_a_logit():
    logits_nw = RNG.normal(size=(4, 2))
    found = contrasted(logits_nw, {"dog": {"dog": ["dog"]}, "animal": {"animal": ["animal"]}})
    assert np.array_equal(found["animal"], logits_nw[:, 1])


def test_a_judge_answers_what_its_images_are_asked_about():
    few = scene_set("test", 3)
    judge = load(ModelSpec("judge", "lab", "lab_clip", "clip"))
    logits_nw = judged(judge, Loader(few), joined(factor_prompts()))
    found, wanted = answers(judge, Loader(few)), contrasted(logits_nw, factor_prompts())
    assert found.keys() == wanted.keys() and all(np.allclose(found[word], wanted[word]) for word in wanted)
