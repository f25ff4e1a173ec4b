"""A score table says of each picture what counting over the images one by one says."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ttest_1samp
from torch.nn.functional import cosine_similarity, interpolate, normalize
from torchvision.transforms.functional import to_tensor

from vitexplore.activations.collect import collect, frame
from vitexplore.activations.pooled import pooled
from vitexplore.data.loading import Loader, preprocess
from vitexplore.models.registry import embed, load
from vitexplore.models.sites import Site, read
from vitexplore.models.spec import ModelSpec
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import Visualization, visualize
from vitexplore.visualize.quality import (
    high_frequency_share,
    identification,
    kernel_distance,
    kernel_distance_of_sets,
    natural_kernel_distance,
    path_agreement,
    seed_agreement,
    transferability,
)
from vitexplore.visualize.recipes import FAST, recipe_for
from vitexplore.visualize.score import QUERIES, Judge, counterpart, mean_and_low, score_table, silent

SITE = Site("ffn", 1)
PARTNERS = Site("channel", 1)  # of the judge, which has as many blocks
FEATURES = (3, 17, 200)
JUDGED = ["identification", "identification_other", "identification_natural", "ceiling", "ceiling_low"]
JUDGED += ["interpretability", "seed_agreement"]
OF_JUDGE = ["kernel_distance", "kernel_distance_natural", "kernel_distance_of_sets"]
OF_JUDGE += ["transferability", "transferability_other"]
COLUMNS = ["site", "block", "feature", "score", "natural", "ratio", "percentile", "dead", "score_other"]
COLUMNS += ["high_frequency", "path_agreement", *JUDGED, "judge", *OF_JUDGE]


@pytest.fixture(scope="module")
def loader(scenes) -> Loader:
    return Loader(scenes, batch=5).sample(None)


@pytest.fixture(scope="module")
def natural_nc(shared_vit, loader) -> torch.Tensor:
    return pooled(shared_vit, [SITE], loader)[SITE]


@pytest.fixture(scope="module")
def top(shared_vit, scenes) -> pd.DataFrame:
    """Of all features, as `collect` writes it, in no order."""
    table = frame(SITE, collect(shared_vit, Loader(scenes), [SITE], k=QUERIES + 1)[SITE])
    return table.sample(frac=1, random_state=0)


@pytest.fixture(scope="module")
def runs(shared_vit) -> list[Visualization]:
    recipe = recipe_for(FAST.name, shared_vit.spec, steps=4)
    return [visualize(shared_vit, Channels(SITE, FEATURES), recipe, seed, 3) for seed in (0, 1)]


@pytest.fixture(scope="module")
def judge(scenes) -> Judge:
    model = load(ModelSpec("judge", "lab", "lab_cnn", "cnn", "random", seed=1))
    transform = preprocess(model.spec)
    with torch.no_grad():
        found = {i: embed(model, transform(scenes.image(i))[None])[0].numpy() for i in range(len(scenes))}
    return Judge(model, pd.Series(found).sample(frac=1, random_state=1))  # by image, in no order


@pytest.fixture(scope="module")
def judged_nc(judge, loader) -> torch.Tensor:
    return pooled(judge.model, [PARTNERS], loader)[PARTNERS]


@pytest.fixture(scope="module")
def table(shared_vit, runs, loader, natural_nc, top, judge, judged_nc) -> pd.DataFrame:
    return score_table(shared_vit, SITE, FEATURES, runs, loader, natural_nc, top, judge, judged_nc)


def mean_maps(model, site: Site, images: Sequence) -> torch.Tensor:
    """Mean over positions of every channel, one image (PIL) at a time: [n, c]."""
    transform = preprocess(model.spec)
    with torch.no_grad():
        return torch.cat([read(model, site, transform(image)[None]).bpc.mean(1) for image in images])


def pictures_of(model, site: Site, run: Visualization) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([read(model, site, (image[None] - 0.5) / 0.5).bpc.mean(1) for image in run.images])


@pytest.fixture(scope="module")
def all_nc(shared_vit, scenes) -> torch.Tensor:
    """In the data set's order."""
    return mean_maps(shared_vit, SITE, [scenes.image(i) for i in range(len(scenes))])


def test_one_row_a_feature_with_every_measure(table):
    assert list(table.columns) == COLUMNS
    assert table["feature"].tolist() == list(FEATURES)
    assert set(table["site"]) == {"ffn"} and set(table["block"]) == {1}
    assert table[COLUMNS[3:]].drop(columns=["ratio", "path_agreement"]).notna().all(axis=None)


def test_natural_scores_are_those_of_each_image_on_its_own_in_the_loaders_order(natural_nc, all_nc, loader):
    assert torch.allclose(natural_nc, all_nc[loader.indices], atol=1e-5)


def test_score_is_of_the_first_seeds_picture_and_natural_the_best_of_all_images(shared_vit, table, runs, all_nc):
    own = pictures_of(shared_vit, SITE, runs[0])
    for row, (place, feature) in zip(table.itertuples(), enumerate(FEATURES), strict=True):
        assert row.score == pytest.approx(own[place, feature].item(), abs=1e-5)
        assert row.natural == pytest.approx(all_nc[:, feature].max().item(), abs=1e-5)
        if row.natural > 0:
            assert row.ratio == pytest.approx(row.score / row.natural, rel=1e-4)
        assert row.percentile == np.mean([row.score > each for each in all_nc[:, feature].tolist()])


def test_score_other_is_the_feature_on_the_next_features_picture(shared_vit, table, runs):
    shown = pictures_of(shared_vit, SITE, runs[0])
    expected = [shown[1, FEATURES[0]], shown[2, FEATURES[1]], shown[0, FEATURES[2]]]
    assert table["score_other"].tolist() == pytest.approx([each.item() for each in expected], abs=1e-5)


def test_high_frequency_is_the_pictures(table, runs):
    assert np.allclose(table["high_frequency"], high_frequency_share(runs[0].images))


def best_images(all_nc: torch.Tensor, feature: int, k: int) -> list[int]:
    return all_nc[:, feature].argsort(descending=True)[:k].tolist()


def test_path_agreement_is_the_mean_over_the_blocks_up_to_the_site(shared_vit, table, runs, scenes, all_nc):
    each = []
    for block in range(SITE.block + 1):
        layer = Site("block", block)
        images = [
            mean_maps(shared_vit, layer, [scenes.image(i) for i in best_images(all_nc, f, QUERIES)]) for f in FEATURES
        ]
        each.append(path_agreement(pictures_of(shared_vit, layer, runs[0]), torch.stack(images)))
    assert np.allclose(table["path_agreement"], torch.stack(each).nanmean(0), atol=1e-3, equal_nan=True)


def described(judge: Judge, run: Visualization) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([embed(judge.model, (image[None] - 0.5) / 0.5) for image in run.images])


@pytest.fixture(scope="module")
def exemplars_gkc(judge, top) -> torch.Tensor:
    by_feature = top.sort_values(["feature", "rank"])["image"].to_numpy().reshape(-1, QUERIES + 1)
    return torch.stack([torch.tensor(np.stack([judge.embeddings[i] for i in row])) for row in by_feature])


def test_identification_is_among_the_exemplars_of_all_features_of_the_layer(table, runs, judge, exemplars_gkc):
    own, shown = torch.tensor(FEATURES), described(judge, runs[0])
    assert np.allclose(table["identification"], identification(shown, exemplars_gkc, own), atol=0.01)
    assert np.allclose(table["identification_other"], identification(shown[[1, 2, 0]], exemplars_gkc, own), atol=0.01)
    held_out = [
        identification(exemplars_gkc[own, rank], exemplars_gkc[:, np.arange(QUERIES + 1) != rank], own)
        for rank in range(QUERIES + 1)
    ]
    assert np.allclose(table["identification_natural"], torch.stack(held_out).mean(0), atol=0.01)


def test_the_ceiling_is_the_mean_of_what_a_real_image_reaches_over_all_features_of_the_site(table, exemplars_gkc):
    directions = normalize(exemplars_gkc.double(), dim=2).numpy()
    reached = np.zeros(len(directions))
    for held in range(directions.shape[1]):
        centres = np.delete(directions, held, axis=1).mean(1)
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
        for own, image in enumerate(directions[:, held]):
            lead = (centres @ image)[own] - np.delete(centres @ image, own)
            told = np.where(np.abs(lead) < 1e-6, 0.5, lead > 0).mean()  # features may share their exemplars
            reached[own] += told / directions.shape[1]
    assert np.allclose(table["ceiling"], np.mean(reached))
    assert np.allclose(table["ceiling_low"], ttest_1samp(reached, 0.5).confidence_interval(0.95).low)


class Knowing(Judge):
    """Sees in each of the pictures its feature, and nothing else."""

    def describe(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.eye(256)[list(FEATURES)]


def test_a_judge_that_sees_just_which_feature_it_is_gives_known_scores(
    shared_vit, runs, loader, natural_nc, judge, judged_nc
):
    """Each feature has five exemplars of its own. They show the feature, but the last one of odd features shows the
    next feature."""
    first = {feature: QUERIES * place for place, feature in enumerate(FEATURES)}  # theirs are scenes
    rows, sees = [], {image: 0 for image in loader.indices}
    for feature in range(256):
        for rank in range(QUERIES):
            image = first.get(feature, 100 + QUERIES * feature) + rank
            rows.append({"feature": feature, "rank": rank, "image": image, "score": 1.0})
            sees[image] = (feature + 1) % 256 if rank == QUERIES - 1 and feature % 2 else feature
    knowing = Knowing(judge.model, pd.Series({image: np.eye(256)[seen] for image, seen in sees.items()}))
    found = score_table(shared_vit, SITE, FEATURES, runs, loader, natural_nc, pd.DataFrame(rows), knowing, judged_nc)
    assert found["identification"].tolist() == [1, 1, 1]
    # the other feature's set is more like its picture, for 17 also the set of 199, and all others are not like it
    assert found["identification_other"].tolist() == pytest.approx([127 / 255, 126.5 / 255, 127 / 255])
    odd = (QUERIES - 1 + 127 / 255) / QUERIES  # its last exemplar alone is more like another set
    assert found["identification_natural"].tolist() == pytest.approx([odd, odd, 1])
    assert found["ceiling"].tolist() == pytest.approx([(1 + odd) / 2] * 3)
    half_way = (1 - odd) / 2  # from the mean to each half of the features
    assert found["ceiling_low"].tolist() == pytest.approx([(1 + odd) / 2 - 1.9693 * half_way / 255**0.5] * 3)


def test_the_lower_end_of_a_mean_of_eight_lies_above_the_truth_once_in_forty_draws():
    """With a normal quantile it would once in 22."""
    draws = np.random.default_rng(0).normal(0.7, 0.1, (4000, 8))
    above = np.mean([mean_and_low(each)[1] > 0.7 for each in draws])
    assert abs(above - 0.025) < 4 * np.sqrt(0.025 * 0.975 / 4000)


def test_the_lower_end_of_equal_values_is_their_mean():
    assert mean_and_low(np.ones(8)) == (1, 1)


def test_a_feature_is_dead_whose_picture_is_not_above_the_median_of_natural_images(
    shared_vit, runs, loader, natural_nc, top
):
    made_nc = natural_nc.clone()
    for feature, score, below in zip(FEATURES[:2], runs[0].score[:2], (9, 8), strict=True):
        made_nc[:below, feature], made_nc[below:, feature] = score - 1, score + 1
    made_nc[:, FEATURES[2]] = runs[0].score[2]
    found = score_table(shared_vit, SITE, FEATURES, runs, loader, made_nc, top, None, None)
    assert found["percentile"].tolist() == [9 / 16, 1 / 2, 1 / 2]
    assert found["dead"].tolist() == [False, True, True]


def test_a_unit_behind_gelu_that_does_not_fire_is_dead_though_natural_images_push_it_lower():
    scores = torch.tensor([-0.001, 0.0, 0.2])
    assert silent(Site("ffn", 3), scores).tolist() == [True, True, False]
    assert silent(Site("query", 3), scores).tolist() == [False, False, False]


def test_interpretability_is_a_forced_choice_before_visualizations_and_the_least_activating_images(
    table, runs, judge, all_nc
):
    shown = torch.stack([described(judge, run) for run in runs], dim=1)
    for place, feature in enumerate(FEATURES):
        ranked = all_nc[:, feature].argsort().tolist()
        look = {i: torch.tensor(judge.embeddings[i]) for i in ranked}

        def evidence(image: int, place=place, ranked=ranked, look=look) -> float:
            towards = [cosine_similarity(look[image], picture, dim=0).item() for picture in shown[place]]
            away = [cosine_similarity(look[image], look[other], dim=0).item() for other in ranked[:QUERIES]]
            return np.mean(towards) - np.mean(away)

        pairs = product(ranked[-QUERIES:], ranked[QUERIES : 2 * QUERIES])
        wins = [evidence(strong) > evidence(weak) for strong, weak in pairs]
        assert table["interpretability"][place] == pytest.approx(np.mean(wins), abs=1 / 25 + 1e-9)


def test_seed_agreement_is_of_all_seeds_and_needs_two(
    shared_vit, table, runs, loader, natural_nc, top, judge, judged_nc
):
    expected = seed_agreement(torch.stack([described(judge, run) for run in runs]))
    assert np.allclose(table["seed_agreement"], expected)
    once = score_table(shared_vit, SITE, FEATURES, runs[:1], loader, natural_nc, top, judge, judged_nc)
    assert once["seed_agreement"].isna().all()
    pd.testing.assert_frame_equal(
        once.drop(columns=["seed_agreement", "interpretability"]),
        table.drop(columns=["seed_agreement", "interpretability"]),
    )


def test_without_a_judge_its_columns_are_empty_and_the_others_are_as_before(
    shared_vit, table, runs, loader, natural_nc, top
):
    blind = score_table(shared_vit, SITE, FEATURES, runs, loader, natural_nc, top, None, None)
    assert list(blind.columns) == COLUMNS
    by_judge = [*JUDGED, *OF_JUDGE]
    assert blind[by_judge].isna().all(axis=None)
    assert (blind["judge"] == "").all()
    by_judge.append("judge")
    pd.testing.assert_frame_equal(blind.drop(columns=by_judge), table.drop(columns=by_judge))


def test_one_feature_alone_has_no_other_to_compare_with(shared_vit, runs, loader, natural_nc, top, judge, judged_nc):
    alone = [Visualization(run.images[:1], run.loss[:, :1], run.score[:1], 1) for run in runs]
    found = score_table(shared_vit, SITE, FEATURES[:1], alone, loader, natural_nc, top, judge, judged_nc)
    by_others = ["path_agreement", "identification_other", "seed_agreement"]
    by_others += ["kernel_distance_of_sets", "transferability_other"]
    assert found[by_others].isna().all(axis=None)
    assert found[["identification", "kernel_distance", "transferability"]].notna().all(axis=None)


def test_pictures_are_brought_to_the_judges_size(judge):
    pictures = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    small = interpolate(pictures, size=(64, 64), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = embed(judge.model, (small - 0.5) / 0.5)
    assert torch.allclose(judge.describe(pictures), expected, atol=1e-5)


def test_kernel_distances_are_to_the_natural_images_by_the_judge_that_is_named(table, runs, judge, loader):
    shown = described(judge, runs[0])
    natural = torch.tensor(np.stack([judge.embeddings[i] for i in loader.indices]))
    assert np.allclose(table["kernel_distance"], kernel_distance(shown, natural), rtol=1e-3)
    assert np.allclose(table["kernel_distance_natural"], natural_kernel_distance(natural).mean())
    assert np.allclose(table["kernel_distance_of_sets"], kernel_distance_of_sets(shown, natural), rtol=1e-3)
    assert (table["judge"] == "judge").all()


def test_transferability_is_of_the_judges_features_at_the_same_relative_depth(
    shared_vit, runs, scenes, loader, natural_nc, top, judge, judged_nc
):
    """Of pictures that differ more than those of a few steps: scenes."""
    run = replace(runs[0], images=torch.stack([to_tensor(scenes.image(index)) for index in (0, 6, 11)]))
    found = score_table(shared_vit, SITE, FEATURES, [run], loader, natural_nc, top, judge, judged_nc)
    shown, natural = pictures_of(judge.model, PARTNERS, run), natural_nc[:, list(FEATURES)]
    own, other = (transferability(natural, judged_nc, each) for each in (shown, shown[[1, 2, 0]]))
    assert np.allclose(found["transferability"], own, atol=1 / 16)
    assert np.allclose(found["transferability_other"], other, atol=1 / 16)
    assert (own - other).abs().max() > 1 / 4


@pytest.mark.parametrize("block, found", [(0, 0), (3, 5), (4, 6), (7, 11)])
def test_the_counterpart_of_a_site_lies_as_deep_in_another_model(judge, block, found):
    """The judge has 8 blocks, the other 12: 3 of 7 is 4.7 of 11, 4 of 7 is 6.3 of 11."""
    other = load(ModelSpec("other", "timm", "vit_tiny_patch16_224", "vit", "random", input_size=32))
    assert counterpart(judge.model, Site("channel", block), other) == Site("ffn", found)
