"""Concept scores find what is there and nothing else: planted features, slow definitions, the bootstrap itself."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import rankdata
from vitexplore.stats import RESAMPLES

from vitexplore.activations.pooled import pooled
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader, preprocess
from vitexplore.data.photos import imagenet_wnids
from vitexplore.data.scene_sets import factors
from vitexplore.data.scenes import SIZE, sample
from vitexplore.data.shapes import CLASSES
from vitexplore.data.wordnet import superclasses
from vitexplore.measures.concepts import (
    activations_by_block,
    auroc,
    concept_scores,
    placements,
    resampled_auroc,
    told_from_chance,
)
from vitexplore.measures.factors import DETAIL_SIDE, LEAST, MOST, Concept, concepts_of, factors_of
from vitexplore.models.registry import load
from vitexplore.models.sites import Site, read
from vitexplore.models.spec import ModelSpec

RNG = np.random.default_rng(0)
COUNT = 960
EVERY = np.arange(COUNT)


@pytest.fixture(scope="module")
def unpainted() -> ImageSet:
    """The factors of many scenes, which are quick to draw; no pixels."""
    return ImageSet(pd.DataFrame([factors(sample("test", index)) for index in range(COUNT)]), CLASSES)


@pytest.mark.parametrize(("architecture", "family", "kind"), [("lab_vit", "vit", "ffn"), ("lab_cnn", "cnn", "channel")])
def test_activations_are_mean_maps_of_each_image_in_the_loaders_order(scenes, architecture, family, kind):
    model = load(ModelSpec("m", "lab", architecture, family, "random"))
    indices = np.array([9, 2, 5, 7])
    found = activations_by_block(model, Loader(scenes, batch=3, indices=indices))
    assert list(found) == list(range(8))
    transform = preprocess(model.spec)
    for block in (0, 7):
        pictures = [transform(scenes.image(i))[None] for i in indices]
        with torch.no_grad():
            wanted = torch.cat([read(model, Site(kind, block), picture).bpc.mean(1) for picture in pictures])
        assert found[block].dtype == np.float32
        assert np.allclose(found[block], wanted, atol=1e-5)


def by_counting(acts_n: np.ndarray, positive_n: np.ndarray) -> float:
    pairs = [(a, b) for a in acts_n[positive_n] for b in acts_n[~positive_n]]
    return float(np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs]))


def test_auroc_counts_pairs_with_ties_as_half():
    acts_nf = RNG.integers(0, 5, (30, 4)).astype(float)
    positive_nc = RNG.random((30, 2)) < 0.4
    found = auroc(rankdata(acts_nf, axis=0), positive_nc)
    assert found.shape == (2, 4)
    for c in range(2):
        for f in range(4):
            assert found[c, f] == pytest.approx(by_counting(acts_nf[:, f], positive_nc[:, c]))


def test_auroc_of_images_of_one_kind_is_no_number():
    assert np.isnan(auroc(rankdata(RNG.random((5, 2)), axis=0), np.ones((5, 1), dtype=bool))).all()


def test_placements_are_each_images_part_in_the_auroc():
    acts_nf, positive = RNG.integers(0, 6, (25, 3)).astype(float), np.arange(25) < 9
    placed = placements(acts_nf, positive)
    whole = auroc(rankdata(acts_nf, axis=0), positive[:, None])[0]
    assert placed[positive].mean(0) == pytest.approx(whole)
    assert placed[~positive].mean(0) == pytest.approx(whole)
    below = [(acts_nf[9:, 1] < acts_nf[0, 1]).mean() + 0.5 * (acts_nf[9:, 1] == acts_nf[0, 1]).mean()]
    assert placed[0, 1] == pytest.approx(below[0])


def test_linear_bootstrap_has_the_mean_and_spread_of_the_exact_one():
    positive = np.arange(200) < 60
    acts_nf = RNG.normal(size=(200, 1)) + 1.2 * positive[:, None]
    linear = resampled_auroc(placements(acts_nf, positive), positive, seed=3)[:, 0]
    exact = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([RNG.integers(0, 60, 60), RNG.integers(60, 200, 140)])
        ranks = rankdata(acts_nf[drawn, 0])
        exact.append((ranks[:60].sum() - 60 * 61 / 2) / (60 * 140))
    assert linear.mean() == pytest.approx(np.mean(exact), abs=0.005)
    assert linear.std() == pytest.approx(np.std(exact), rel=0.15)


def test_draws_do_not_depend_on_the_features():
    positive = np.arange(40) < 10
    placed = placements(RNG.random((40, 5)), positive)
    assert resampled_auroc(placed, positive, 1)[:, [2]] == pytest.approx(resampled_auroc(placed[:, [2]], positive, 1))


def test_false_discoveries_are_rare_among_features_of_nothing():
    positive = np.arange(400) < 100
    told = [
        told_from_chance(auroc(rankdata(RNG.random((400, 200)), axis=0), positive[:, None])[0], 100, 300).any()
        for _ in range(100)
    ]
    assert np.mean(told) < 0.15  # 0.05 is expected
    assert told_from_chance(np.array([0.9, 0.5]), 100, 300).tolist() == [True, False]
    assert not told_from_chance(np.array([0.9]), 2, 2).any()


def test_a_concept_is_found_and_scored_on_different_images(unpainted):
    concepts = concepts_of(unpainted, EVERY)
    assert {concept.name for concept in concepts if concept.kind == "caption"} == {
        *("many", "before and after", "from above", "at night", "striped")
    }
    for concept in concepts:
        assert not (concept.found_on & concept.held_on).any()


def test_a_category_is_found_on_other_classes_than_it_is_scored_on(unpainted):
    labels = unpainted.labels[EVERY]
    folds = [concept for concept in concepts_of(unpainted, EVERY) if concept.name == "animal"]
    assert [concept.fold for concept in folds] == [0, 1]
    for concept in folds:
        found, held = set(labels[concept.found_on & concept.positive]), set(labels[concept.held_on & concept.positive])
        assert len(found) == len(held) == 2
        assert not set(labels[concept.found_on]) & set(labels[concept.held_on])


def test_concepts_are_those_of_the_images_that_are_asked_for(unpainted):
    indices = RNG.permutation(COUNT)[:300]
    many = next(concept for concept in concepts_of(unpainted, indices) if concept.name == "many")
    assert np.array_equal(many.positive, unpainted.table["arrangement"].to_numpy()[indices] == "group")
    assert np.array_equal(factors_of(unpainted, indices)["class"], np.array(CLASSES)[unpainted.labels[indices]])


def planted(unpainted: ImageSet) -> tuple[np.ndarray, dict[str, int]]:
    """Features of 1 where something is so, with a little noise, and their numbers."""
    factors = factors_of(unpainted, EVERY)
    many = factors["arrangement"] == "many"
    animal = factors["category"] == "animal"
    animals = np.unique(unpainted.labels[animal])
    signals = {
        "many": many,
        "one": ~many,
        "half of many": many & (RNG.random(COUNT) < 0.5),
        "animal": animal,
        "one animal": unpainted.labels == animals[0],
        "animals of one half": np.isin(unpainted.labels, animals[::2]),
        "nothing": np.zeros(COUNT, dtype=bool),
    }
    acts_nf = np.stack(list(signals.values()), axis=1) + 0.01 * RNG.normal(size=(COUNT, len(signals)))
    return acts_nf, {name: number for number, name in enumerate(signals)}


def coded(scores: pd.DataFrame, concept: str) -> list[int]:
    return scores[scores["concept"] == concept]["coded"].tolist()


def test_planted_features_are_counted_and_no_others(unpainted):
    acts_nf, number = planted(unpainted)
    scores = concept_scores([(0, acts_nf)], concepts_of(unpainted, EVERY))
    assert coded(scores, "many") == [2]  # it and its opposite, but not the half of it
    assert coded(scores, "animal") == [1, 1]  # neither one animal nor those of one half of the classes
    rest = scores[~scores["concept"].isin(["many", "animal"])]
    assert rest["coded"].sum() == 0
    assert rest["held_out"].max() < 0.9
    for name in ("many", "animal"):
        best = scores[scores["concept"] == name]
        assert set(best["best"]) <= {number["many"], number["one"], number["animal"], number["animals of one half"]}
    alone = concept_scores(
        [(0, acts_nf[:, [number["half of many"], number["nothing"]]])], concepts_of(unpainted, EVERY)
    )
    half = alone[alone["concept"] == "many"].iloc[0]
    assert half["coded"] == 0
    assert half["held_out"] == pytest.approx(0.75, abs=0.05)


def test_a_feature_of_half_of_the_classes_is_found_there_and_fails_on_the_others(unpainted):
    acts_nf, number = planted(unpainted)
    half = acts_nf[:, [number["animals of one half"]]]
    scores = concept_scores([(0, half)], [c for c in concepts_of(unpainted, EVERY) if c.name == "animal"])
    found = scores.set_index("fold")
    assert found.loc[0, "found"] > 0.99
    assert found.loc[0, "held_out"] == pytest.approx(0.5, abs=0.1)
    assert found["coded"].tolist() == [0, 0]


def test_resamples_are_of_images_and_features(unpainted):
    acts_nf, _ = planted(unpainted)
    scores = concept_scores([(0, acts_nf), (1, acts_nf)], concepts_of(unpainted, EVERY))
    many = scores[scores["concept"] == "many"]
    first, second = many["resamples"]
    assert len(first) == RESAMPLES
    assert first.mean() == pytest.approx(2, abs=0.2)
    assert first.std() == pytest.approx(np.sqrt(7 * 2 / 7 * 5 / 7), rel=0.15)  # binomial: 7 features drawn, 2 of them
    assert not np.array_equal(first, second)  # each block's features are drawn on their own


def test_deviation_is_delongs(unpainted):
    concept = next(concept for concept in concepts_of(unpainted, EVERY) if concept.name == "striped")
    acts_nf = concept.positive[:, None] + RNG.normal(size=(COUNT, 1))
    row = concept_scores([(0, acts_nf)], [concept]).iloc[0]
    positive = concept.positive[concept.held_on]
    draws = resampled_auroc(placements(acts_nf[concept.held_on], positive), positive, 0)
    assert row["deviation"] == pytest.approx(draws.std(), rel=0.1)


def test_a_concept_without_two_images_of_each_kind_is_left_out():
    some = np.array([True, False] * 4)
    few = Concept("few", "caption", 0, np.arange(8) == 0, some, ~some)
    assert not few.usable()
    assert Concept("enough", "caption", 0, np.arange(8) < 4, some, ~some).usable()


def test_planted_model(vit, unpainted):
    """A ViT whose first block's features read the colour of the picture: red shows many, green half of it."""
    trunk = vit.module
    with torch.no_grad():
        trunk.patch_embed.proj.weight.zero_()
        trunk.patch_embed.proj.bias.zero_()
        for channel in range(3):
            trunk.patch_embed.proj.weight[channel, channel] = 1 / 64
        trunk.pos_embed.zero_()
        block = trunk.blocks[0]
        block.attn.proj.weight.zero_()
        block.attn.proj.bias.zero_()
        block.norm2 = torch.nn.Identity()
        block.mlp.fc1.weight.zero_()
        block.mlp.fc1.bias.zero_()
        for feature in range(3):
            block.mlp.fc1.weight[feature, feature] = 1.0
    many = factors_of(unpainted, EVERY)["arrangement"] == "many"
    red, green = 255 * many, 255 * (many & (EVERY % 2 == 0))
    colours = np.stack([red, green, RNG.integers(0, 256, COUNT)], axis=1).astype(np.uint8)
    pixels = np.broadcast_to(colours[:, None, None], (COUNT, SIZE, SIZE, 3))
    images = ImageSet(unpainted.table, CLASSES, pixels)
    acts_nf = pooled(vit, [Site("ffn", 0)], Loader(images))[Site("ffn", 0)].numpy()
    scores = concept_scores([(0, acts_nf)], concepts_of(images, EVERY)).set_index("concept")
    assert scores.loc["many", "coded"] == 1
    assert scores.loc["many", "best"] == 0
    assert scores.loc["many", "held_out"] == 1.0
    assert scores.drop("many")["coded"].sum() == 0
    green_alone = concept_scores([(0, acts_nf[:, 1:2])], concepts_of(images, EVERY)).set_index("concept")
    assert green_alone.loc["many", "held_out"] == pytest.approx(0.75, abs=0.05)


@pytest.fixture(scope="module")
def photographs() -> ImageSet:
    """Pictures of 72 of ImageNet's classes: a wave under ever more noise."""
    noise = np.linspace(0, 50, 72)[:, None, None, None] * RNG.random((72, DETAIL_SIDE, DETAIL_SIDE, 1))
    wave = 100 + 50 * np.sin(2 * np.pi * np.arange(DETAIL_SIDE) / DETAIL_SIDE)
    pixels = np.broadcast_to((wave[:, None] + noise).astype(np.uint8), (72, DETAIL_SIDE, DETAIL_SIDE, 3))
    table = pd.DataFrame({"label": np.arange(72) * 13, "name": "", "path": ""})
    return ImageSet(table, tuple(imagenet_wnids()), pixels)


def test_concepts_of_photographs_are_super_classes_on_other_classes(photographs):
    indices = np.arange(72)[::-1]
    labels, concepts = photographs.labels[indices], concepts_of(photographs, indices)
    assert {"dog", "animal"} <= {concept.name for concept in concepts}
    for concept in concepts:
        assert concept.kind == "category"
        assert not set(labels[concept.found_on]) & set(labels[concept.held_on])
        if concept.name == "dog":
            assert set(labels[concept.positive]) == {label for label in labels if 151 <= label <= 268}


def test_factors_of_photographs(photographs):
    factors = factors_of(photographs, np.arange(72))
    assert set(factors) == {"class", "category", "texture"}
    assert factors["class"][0] == "n01440764"
    assert np.unique(factors["texture"], return_counts=True)[1].tolist() == [9] * 8
    assert (factors["texture"][0], factors["texture"][71]) == ("detail 1", "detail 8")


def test_the_category_of_a_photograph_is_its_smallest_super_class(photographs):
    found = factors_of(photographs, np.arange(72))["category"]
    joined = superclasses(photographs.classes, LEAST, MOST)
    for label, category in zip(photographs.labels, found, strict=True):
        above = {name: members.sum() for name, members in joined.items() if members[label]}
        assert category == "other" if not above else above[category] == min(above.values())
