"""Words for features: the formula written out, and planted features."""

import numpy as np
import pytest

from vitexplore.experiments.dissect import FIRST, LAST, ONE_OF, SOFTNESS, TOP, labels, soft_wpmi

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
