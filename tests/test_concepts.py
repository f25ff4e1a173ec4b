"""Concept scores find what is there and nothing else: planted features, planted pixels, slow definitions."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import rankdata

from vitexplore.activations.pooled import pooled
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader, preprocess
from vitexplore.data.scenes import SIZE
from vitexplore.data.shapes import CLASSES
from vitexplore.measures.concepts import (
    activations_by_block,
    auroc,
    concept_scores,
    deviation,
    placements,
    told_from_chance,
)
from vitexplore.measures.factors import concepts_of, scene_words
from vitexplore.models.registry import load
from vitexplore.models.sites import Site, read
from vitexplore.models.spec import ModelSpec
from vitexplore.statistics.intervals import times_drawn

RNG = np.random.default_rng(0)


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
    acts_nf, positive = RNG.integers(0, 5, (30, 4)).astype(float), RNG.random(30) < 0.4
    found = auroc(rankdata(acts_nf, axis=0), positive)
    assert found == pytest.approx([by_counting(acts_nf[:, f], positive) for f in range(4)])


def test_auroc_of_images_of_one_kind_is_no_number():
    assert np.isnan(auroc(rankdata(RNG.random((5, 2)), axis=0), np.ones(5, dtype=bool))).all()


def test_placements_are_each_images_part_in_the_auroc():
    acts, positive = RNG.integers(0, 6, 25).astype(float), np.arange(25) < 9
    placed = placements(acts, positive)
    for image in range(25):
        others = acts[~positive] if positive[image] else acts[positive]
        wins = (acts[image] > others) if positive[image] else (others > acts[image])
        assert placed[image] == pytest.approx(np.mean(wins + 0.5 * (acts[image] == others)))
    assert placed[positive].mean() == pytest.approx(by_counting(acts, positive))
    assert placed[~positive].mean() == pytest.approx(by_counting(acts, positive))


def test_deviation_is_that_of_the_bootstrap():
    positive = np.arange(200) < 60
    acts = RNG.normal(size=200) + 1.2 * positive
    draws = []
    for _ in range(1000):
        drawn = np.concatenate([RNG.integers(0, 60, 60), RNG.integers(60, 200, 140)])
        draws.append(auroc(rankdata(acts[drawn])[:, None], positive)[0])
    assert deviation(placements(acts, positive), positive) == pytest.approx(np.std(draws), rel=0.1)


def test_false_discoveries_are_rare_among_features_of_nothing():
    positive = np.arange(400) < 100
    told = [
        told_from_chance(auroc(rankdata(RNG.random((400, 200)), axis=0), positive), 100, 300).any() for _ in range(100)
    ]
    assert np.mean(told) < 0.15  # 0.05 is expected
    assert told_from_chance(np.array([0.9, 0.5]), 100, 300).tolist() == [True, False]
    assert not told_from_chance(np.array([0.9]), 2, 2).any()


def scores(
    images: ImageSet,
    acts: dict[int, np.ndarray],
    names: tuple[str, ...] = (),
    pixels: pd.DataFrame | None = None,
    answers: dict[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Of all ``images``, shown in their order; the concepts of ``names``, or all."""
    indices = np.arange(len(images))
    concepts = [concept for concept in concepts_of(images, indices) if not names or concept.name in names]
    pixels = pd.DataFrame({"nothing": np.zeros(len(images))}) if pixels is None else pixels
    return concept_scores(acts, concepts, indices, pixels, answers or {})


def signals(images: ImageSet) -> dict[str, np.ndarray]:
    """Features of 1 where something is so, with a little noise."""
    factors = scene_words(images, np.arange(len(images)))
    many, animal = factors["arrangement"] == "many", factors["category"] == "animal"
    animals = np.unique(images.labels[animal])
    shown = {
        "many": many,
        "one": ~many,
        "half of many": many & (RNG.random(len(images)) < 0.5),
        "animal": animal,
        "one animal": images.labels == animals[0],
        "animals of one half": np.isin(images.labels, animals[::2]),
        "nothing": np.zeros(len(images), dtype=bool),
    }
    return {name: shows + 0.01 * RNG.normal(size=len(images)) for name, shows in shown.items()}


def test_planted_features_are_counted_over_all_blocks_and_no_others(unpainted):
    planted = signals(unpainted)
    acts = np.stack(list(planted.values()), axis=1)
    found = scores(unpainted, {0: acts[:, :2], 1: acts[:, 2:]})
    coded = {name: mine["coded"].tolist() for name, mine in found.groupby("concept")}
    assert coded.pop("many") == [2]  # it and its opposite, but not the half of it
    assert coded.pop("animal") == [1, 1]  # neither one animal nor those of one half of the classes
    assert set(np.concatenate(list(coded.values()))) == {0}
    assert set(found["features"]) == {7}


def test_the_best_feature_is_that_of_all_blocks_which_fires_most(unpainted):
    planted = signals(unpainted)
    acts = {
        2: np.stack([planted["one"], planted["half of many"]], axis=1),
        5: np.stack([planted["nothing"], planted["animal"], planted["many"]], axis=1),
    }
    found = scores(unpainted, acts).set_index(["concept", "fold"])
    assert found.loc[("many", 0), ["block", "best"]].tolist() == [5, 2]
    assert found.loc[("animal", 1), ["block", "best"]].tolist() == [5, 1]
    silent = scores(unpainted, {2: acts[2]}, ("many",)).iloc[0]
    assert silent["best"] == 1  # the other one is silent where there are many
    assert silent["coded"] == 1  # by either sign


def test_a_feature_of_half_of_the_classes_is_found_there_and_fails_on_the_others(unpainted):
    half = signals(unpainted)["animals of one half"][:, None]
    found = scores(unpainted, {0: half}, ("animal",)).set_index("fold")
    assert found.loc[0, "found"] > 0.99
    assert found.loc[0, "held_out"] == pytest.approx(0.5, abs=0.1)
    assert found["coded"].tolist() == [0, 0]


def test_a_row_holds_what_each_held_out_image_has_to_do_with_the_auroc(unpainted):
    indices = RNG.permutation(len(unpainted))[:700]
    concept = next(each for each in concepts_of(unpainted, indices) if each.name == "striped")
    acts = concept.positive[:, None] + RNG.normal(size=(700, 1))
    pixels = pd.DataFrame({"nothing": RNG.random(700)})
    row = concept_scores({3: acts}, [concept], indices, pixels, {}).iloc[0]
    held = row["held_images"]
    assert np.array_equal(held, indices[concept.held_on])
    assert np.array_equal(row["shows"], unpainted.table["striped"].to_numpy()[held])
    assert (row["positives"], row["others"]) == (row["shows"].sum(), (~row["shows"]).sum())
    assert row["found_positives"] == concept.positive[concept.found_on].sum()
    assert row["found_positives"] + row["found_others"] == concept.found_on.sum()
    for kind, whole in (("", "held_out"), ("pixel_", "pixel_held_out")):
        first = row[f"{kind}placed"][: len(held)]
        assert first[row["shows"]].mean() == pytest.approx(row[whole], abs=1e-6)
        assert first[~row["shows"]].mean() == pytest.approx(row[whole], abs=1e-6)
        assert set(row[f"{kind}choice"]) == {0} and len(row[f"{kind}placed"]) == len(held)  # there is one alone
    assert row["held_out"] == pytest.approx(by_counting(acts[concept.held_on, 0], concept.positive[concept.held_on]))
    assert row["found"] == pytest.approx(by_counting(acts[concept.found_on, 0], concept.positive[concept.found_on]))
    assert row["deviation"] == pytest.approx(deviation(row["placed"], row["shows"]), rel=1e-4)


def test_a_choice_that_other_images_would_not_make_is_known_to_be_uncertain(unpainted):
    """Two features tell a concept as well where features are found; one of them tells nothing elsewhere."""
    indices = np.arange(len(unpainted))
    concept = next(each for each in concepts_of(unpainted, indices) if each.name == "striped")
    signal = concept.positive + 1.5 * np.random.default_rng(3).normal(size=(2, len(unpainted)))
    lucky = np.where(concept.found_on, signal[1], RNG.normal(size=len(unpainted)))
    pixels = pd.DataFrame({"nothing": RNG.random(len(unpainted))})
    row = concept_scores({0: np.stack([signal[0], lucky], axis=1)}, [concept], indices, pixels, {}).iloc[0]
    share = np.mean(row["choice"] == 1)
    assert 0.02 < share < 0.98 and len(row["placed"]) == 2 * len(row["held_images"])
    slow, positive = [], concept.positive[concept.found_on]
    for times in times_drawn(int(concept.found_on.sum()), 1)[:200]:
        drawn = np.repeat(np.arange(len(positive)), times)
        both = [by_counting(each[concept.found_on][drawn], positive[drawn]) for each in (signal[0], lucky)]
        slow.append(int(both[1] > both[0]))
    mine = row["choice"][:200] if row["best"] == 0 else 1 - row["choice"][:200]
    assert np.mean(mine == slow) > 0.95  # to first order in 1/n


def test_columns_of_a_row_are_small(unpainted):
    row = scores(unpainted, {0: RNG.random((len(unpainted), 3))}, ("many",)).iloc[0]
    assert [row[name].dtype for name in ("placed", "shows", "held_images")] == [np.float32, np.bool_, np.int32]


def test_the_best_pixel_statistic_is_chosen_with_its_sign_where_features_are_found(unpainted):
    indices, noise = np.arange(len(unpainted)), RNG.random((3, len(unpainted)))
    night = next(each for each in concepts_of(unpainted, indices) if each.name == "at night")
    dark = np.where(night.positive, 0.0, 1.0) + 0.01 * noise[0]
    tempting = np.where(night.held_on, -dark, noise[1])  # right on the images that do not choose
    pixels = pd.DataFrame({"noise": noise[2], "brightness": dark + 1.2 * noise[1], "tempting": tempting})
    row = concept_scores({0: noise[:1].T}, [night], indices, pixels, {}).iloc[0]
    assert row["pixel"] == "-brightness"
    wanted = by_counting(-pixels["brightness"].to_numpy()[night.held_on], night.positive[night.held_on])
    assert row["pixel_held_out"] == pytest.approx(wanted)
    assert wanted > 0.95
    upright = concept_scores({0: noise[:1].T}, [night], indices, -pixels[["brightness"]], {}).iloc[0]
    assert (upright["pixel"], upright["pixel_held_out"]) == ("brightness", row["pixel_held_out"])


def test_an_answer_is_scored_where_the_judge_has_the_word(unpainted):
    said = RNG.normal(size=len(unpainted)) + unpainted.table["above"].to_numpy()
    acts = {0: RNG.random((len(unpainted), 1))}
    found = scores(unpainted, acts, ("from above", "many"), answers={"from above": said}).set_index("concept")
    indices = np.arange(len(unpainted))
    above = next(each for each in concepts_of(unpainted, indices) if each.name == "from above")
    wanted = by_counting(said[above.found_on], above.positive[above.found_on])
    assert found.loc["from above", "answered"] == pytest.approx(wanted)
    assert np.isnan(found.loc["many", "answered"])


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
    count = len(unpainted)
    many = scene_words(unpainted, np.arange(count))["arrangement"] == "many"
    red, green = 255 * many, 255 * (many & (np.arange(count) % 2 == 0))
    colours = np.stack([red, green, RNG.integers(0, 256, count)], axis=1).astype(np.uint8)
    pixels = np.broadcast_to(colours[:, None, None], (count, SIZE, SIZE, 3))
    images = ImageSet(unpainted.table, CLASSES, pixels)
    acts_nf = pooled(vit, [Site("ffn", 0)], Loader(images))[Site("ffn", 0)].numpy()
    found = scores(images, {0: acts_nf}).set_index("concept")
    assert found.loc["many", "coded"] == 1
    assert found.loc["many", "best"] == 0
    assert found.loc["many", "held_out"] == 1.0
    assert found.drop("many")["coded"].sum() == 0
    green_alone = scores(images, {0: acts_nf[:, 1:2]}).set_index("concept")
    assert green_alone.loc["many", "held_out"] == pytest.approx(0.75, abs=0.05)
