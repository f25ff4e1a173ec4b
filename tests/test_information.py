"""Mutual information and purity, against slow definitions and planted features."""

import numpy as np
import pytest
from scipy.stats import entropy

from vitexplore.measures.information import (
    BINS,
    TOP,
    binned,
    information_table,
    information_without,
    mutual_information,
    purity,
    top_images,
)
from vitexplore.statistics.splits import GROUPS, groups

RNG = np.random.default_rng(0)
COUNT = 1600
FACTORS = {
    "class": RNG.integers(0, 16, COUNT).astype(str),
    "texture": RNG.integers(0, 4, COUNT).astype(str),
    "time": RNG.integers(0, 2, COUNT).astype(str),
}
FACTORS |= {"hue": RNG.integers(0, 8, COUNT).astype(str), "orientation": RNG.integers(0, 8, COUNT).astype(str)}
FACTORS["category"] = (FACTORS["class"].astype(int) // 4).astype(str)


def bits_by_entropies(bins: np.ndarray, values: np.ndarray) -> float:
    """I = H(bin) + H(value) - H(both)."""
    both = np.stack([bins, np.unique(values, return_inverse=True)[1]], axis=1)
    counts = [np.unique(found, return_counts=True, axis=0)[1] for found in (bins, values, both)]
    return entropy(counts[0], base=2) + entropy(counts[1], base=2) - entropy(counts[2], base=2)


def slow_bits(acts: np.ndarray, values: np.ndarray) -> float:
    """The same of equally full bins, less the mean of chance."""
    bits = bits_by_entropies(np.argsort(np.argsort(acts)) * BINS // len(acts), values)
    return bits - (BINS - 1) * (len(np.unique(values)) - 1) / (2 * len(acts) * np.log(2))


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


@pytest.mark.parametrize("images", [COUNT, 613])
def test_information_without_a_group_is_that_of_the_images_left(images):
    values = FACTORS["texture"][:images]
    acts_nf = RNG.normal(size=(images, 4)) + np.outer(values.astype(int), [0.0, 0.5, 2.0, 0.0])
    acts_nf[:, 3] = np.maximum(acts_nf[:, 3], 0.5)  # mostly silent
    bins_nf = binned(acts_nf)
    bits, _ = mutual_information(bins_nf, values)
    by_chance = np.array([bits_by_entropies(bins_nf[:, f], values) for f in range(4)]) - bits
    found = information_without(bins_nf, values)
    assert found.shape == (4, GROUPS)
    for number, group in enumerate(groups(images)):
        left = np.setdiff1d(np.arange(images), group)
        raw = np.array([bits_by_entropies(bins_nf[left, f], values[left]) for f in range(4)])
        assert found[:, number] == pytest.approx(raw - by_chance * images / len(left))


def test_groups_are_disjoint_even_and_hold_every_image():
    parts = groups(1010)
    assert len(parts) == GROUPS == 20
    assert sorted(np.concatenate(parts).tolist()) == list(range(1010))
    assert {len(part) for part in parts} == {50, 51}
    assert all(np.array_equal(one, same) for one, same in zip(parts, groups(1010), strict=True))


def test_information_of_nothing_is_around_zero_without_any_group():
    without = information_without(binned(RNG.normal(size=(COUNT, 400))), FACTORS["class"])
    assert abs(without.mean()) < 0.002


def test_the_jackknifes_deviation_is_that_of_other_images():
    """Of a feature's bits over draws of images; delete-a-group's own relative spread is 1 / sqrt(2 * 19)."""
    drawn = np.random.default_rng(5).integers(0, 4, (300, 500))
    acts = drawn + np.random.default_rng(6).normal(size=drawn.shape)
    bits = [mutual_information(binned(a[:, None]), values)[0][0] for a, values in zip(acts, drawn, strict=True)]
    without = np.stack([information_without(binned(a[:, None]), v)[0] for a, v in zip(acts, drawn, strict=True)])
    variance = (GROUPS - 1) / GROUPS * ((without - without.mean(1, keepdims=True)) ** 2).sum(1)
    assert np.sqrt(variance.mean()) == pytest.approx(np.std(bits), rel=0.15)


def test_the_table_has_information_without_each_group_of_class_and_simple_things():
    acts_nf = RNG.normal(size=(COUNT, 3))
    table = information_table(0, acts_nf, FACTORS)
    for factor in ("class", "hue", "orientation"):
        wanted = information_without(binned(acts_nf), FACTORS[factor])
        assert np.allclose(np.stack(table[f"{factor}_without"]), wanted, atol=1e-6)
        assert table[f"{factor}_without"][0].dtype == np.float32
    assert "time_without" not in table


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
