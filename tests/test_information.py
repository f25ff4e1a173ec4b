"""Mutual information and purity, against slow definitions and planted features."""

import numpy as np
import pytest
from scipy.stats import entropy

from vitexplore.measures.information import (
    BINS,
    TOP,
    binned,
    information_table,
    mutual_information,
    purity,
    top_images,
)

RNG = np.random.default_rng(0)
COUNT = 1600
FACTORS = {
    "class": RNG.integers(0, 16, COUNT).astype(str),
    "texture": RNG.integers(0, 4, COUNT).astype(str),
    "time": RNG.integers(0, 2, COUNT).astype(str),
}
FACTORS["category"] = (FACTORS["class"].astype(int) // 4).astype(str)


def slow_bits(acts: np.ndarray, values: np.ndarray) -> float:
    """I = H(bin) + H(value) - H(both), less the mean of chance."""
    bins = np.argsort(np.argsort(acts)) * BINS // len(acts)
    kinds = [np.unique(found, return_counts=True, axis=0)[1] for found in (bins, values)]
    both = np.unique(np.stack([bins, np.unique(values, return_inverse=True)[1]], axis=1), axis=0, return_counts=True)[1]
    bits = entropy(kinds[0], base=2) + entropy(kinds[1], base=2) - entropy(both, base=2)
    return bits - (BINS - 1) * (len(kinds[1]) - 1) / (2 * len(acts) * np.log(2))


def test_information_is_what_entropies_say():
    acts_nf = RNG.normal(size=(COUNT, 3)) + np.outer(FACTORS["texture"].astype(int), [0.0, 0.5, 2.0])
    bits, _ = mutual_information(binned(acts_nf), FACTORS["texture"])
    assert bits == pytest.approx([slow_bits(acts_nf[:, f], FACTORS["texture"]) for f in range(3)], abs=2e-3)
    assert bits[2] > bits[1] > 0.05


def test_information_of_nothing_is_around_zero_and_improbable_only_by_chance():
    bits, probability = mutual_information(binned(RNG.normal(size=(COUNT, 400))), FACTORS["class"])
    assert abs(bits.mean()) < 0.002
    assert 0.01 < (probability < 0.05).mean() < 0.12


def test_a_feature_that_is_the_factor_tells_all_of_it():
    values = np.arange(COUNT) % 4  # as many of each, so that no bin holds two
    bits, probability = mutual_information(binned(values[:, None] + 0.01 * RNG.normal(size=(COUNT, 1))), values)
    assert bits[0] == pytest.approx(2.0, abs=0.05)
    assert probability[0] < 1e-100


def test_a_feature_that_is_mostly_silent_is_not_taken_for_one_of_eight_full_bins():
    acts_nf = np.where(RNG.random((COUNT, 300)) < 0.7, 0.0, RNG.random((COUNT, 300)))
    bits, probability = mutual_information(binned(acts_nf), FACTORS["class"])
    assert abs(bits.mean()) < 0.002
    assert (probability < 0.05).mean() < 0.12
    constant_bits, constant = mutual_information(binned(np.zeros((COUNT, 1))), FACTORS["class"])
    assert (constant_bits[0], constant[0]) == (0.0, 1.0)


def test_few_images_of_each_value_are_not_taken_for_information():
    values = np.arange(600) % 200  # three of each, so that most cells of the table are empty
    bits, probability = mutual_information(binned(RNG.normal(size=(600, 300))), values)
    assert abs(bits.mean()) < 0.02  # Miller's mean alone would be 0.2 bits off
    assert (probability < 0.01).mean() < 0.03
    told, _ = mutual_information(binned((values < 50)[:, None] + 0.1 * RNG.normal(size=(600, 1))), values)
    assert told[0] > bits.max()


def test_purity_is_the_share_of_the_most_frequent_value_among_the_top():
    acts = np.arange(20.0)[:, None]
    values = np.array(["a"] * 10 + ["b"] * 7 + ["c"] * 3)
    share, value = purity(top_images(acts), values)
    assert TOP == 10
    assert (share[0], value[0]) == (0.7, "b")


def test_each_feature_is_explained_by_what_was_planted_in_it():
    signals = np.stack(
        [FACTORS["class"].astype(float) == 3, FACTORS["texture"].astype(float), FACTORS["time"].astype(float)], axis=1
    )
    acts_nf = np.concatenate([signals, np.zeros((COUNT, 20))], axis=1) + 0.1 * RNG.normal(size=(COUNT, 23))
    table = information_table(4, acts_nf, FACTORS)
    assert table["explained_by"].tolist()[:3] == ["class", "texture", "time"]
    assert (table["explained_by"][3:] == "").mean() >= 0.9
    assert table.loc[0, "value"] == "3"
    assert table.loc[0, "purity"] == table.loc[0, "purity_class"] == 1.0
    assert 0.02 < table.loc[0, "information_category"] < table.loc[0, "information_class"]
    assert (table["block"] == 4).all()
