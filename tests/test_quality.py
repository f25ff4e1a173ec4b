"""A judge that recognises every picture scores 1, one that guesses 0.5; noise is high frequency, a gradient is not; a
visualization that is as good as a natural image scores 1 beside it."""

from itertools import combinations, permutations, product

import numpy as np
import pytest
import torch
from scipy.stats import percentileofscore, spearmanr
from torch.nn.functional import normalize

from vitexplore.visualize.quality import (
    high_frequency_share,
    identification,
    kernel_distance,
    machine_interpretability,
    natural_identification,
    path_agreement,
    relative_activation,
    seed_agreement,
    spectral_centroid,
    transferability,
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_pictures_that_point_at_their_own_set_are_all_identified():
    axes = torch.eye(8)
    exemplars = axes[:, None] + 0.05 * noise(8, 5, 8)
    assert identification(3 * axes, exemplars, torch.arange(8)).tolist() == [1] * 8


def test_pictures_that_point_away_from_their_own_set_are_never_identified():
    axes = torch.eye(8)
    exemplars = axes[:, None] + 0.05 * noise(8, 5, 8)
    assert identification(-axes, exemplars, torch.arange(8)).tolist() == [0] * 8


def test_sets_that_are_all_alike_tie_at_chance():
    exemplars = torch.ones(6, 3, 4)
    assert identification(noise(6, 4), exemplars, torch.arange(6)).tolist() == [0.5] * 6


def test_random_pictures_are_at_chance():
    scores = identification(noise(400, 32), noise(400, 5, 32, seed=1), torch.arange(400))
    assert abs(scores.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 400)


def test_identification_against_counting():
    """The pictures are of some features only, each with a set of its own, in another order."""
    pictures, exemplars, own = noise(5, 12), noise(9, 4, 12, seed=1), [7, 2, 0, 8, 3]
    pictures += 0.5 * exemplars[own].mean(1)
    centres = normalize(exemplars, dim=2).mean(1).double().numpy()
    found = identification(pictures, exemplars, torch.tensor(own))
    assert 0.5 < found.mean() < 1
    for score, picture, mine in zip(found, pictures.double().numpy(), own, strict=True):
        cosines = [picture @ c / np.linalg.norm(picture) / np.linalg.norm(c) for c in centres]
        wins = sum((cosines[g] < cosines[mine]) + 0.5 * (cosines[g] == cosines[mine]) for g in range(9) if g != mine)
        assert score == pytest.approx(wins / 8)


def test_identification_does_not_depend_on_the_embeddings_lengths():
    pictures, exemplars, own = noise(6, 10), noise(6, 3, 10, seed=1), torch.arange(6)
    stretched = exemplars * torch.rand(6, 3, 1, generator=torch.Generator().manual_seed(2)).add(0.1)
    assert torch.equal(identification(pictures, exemplars, own), identification(9 * pictures, stretched, own))


def test_what_a_real_image_reaches_is_known_where_it_shows_its_own_feature_and_where_another():
    """The last exemplar of odd features shows the next feature, whose set alone is then more similar than their own. In
    their own set it leads others astray by half where it is one of four, as much as their own four do."""
    axes = torch.eye(8)
    last = torch.where(torch.arange(8)[:, None] % 2 == 0, axes, axes.roll(-1, 0))
    exemplars = torch.cat([axes[:, None].expand(-1, 4, -1), last[:, None]], dim=1)
    # of even features all five are right, of odd ones four, and the fifth has one set before its own, all others tied
    assert natural_identification(exemplars).tolist() == pytest.approx([1, (4 + 3 / 7) / 5] * 4)


def test_what_a_real_image_reaches_against_counting():
    exemplars = noise(9, 4, 12) + noise(9, 1, 12, seed=1)
    directions = normalize(exemplars.double(), dim=2).numpy()
    found = natural_identification(exemplars)
    assert 0.5 < found.mean() < 1
    for own, score in enumerate(found):
        told = []
        for held in range(4):
            sets = np.delete(directions, held, axis=1).mean(1)
            cosines = [directions[own, held] @ c / np.linalg.norm(c) for c in sets]
            told += [cosines[own] > other for g, other in enumerate(cosines) if g != own]
        assert score == pytest.approx(np.mean(told))


def wave(cycles_down: int, cycles_across: int) -> torch.Tensor:
    """[1, 3, 64, 64] with a mean, which must not count."""
    turn = 2 * np.pi * torch.arange(64) / 64
    return (5 + torch.cos(cycles_down * turn[:, None] + cycles_across * turn)).expand(1, 3, -1, -1)


@pytest.mark.parametrize(
    "down, across, share",
    [(1, 0, 0), (5, 6, 0), (8, 0, 0), (9, 0, 1), (0, 9, 1), (6, 6, 1), (32, 32, 1)],  # Nyquist / 4: 8 cycles
)
def test_a_wave_counts_as_high_from_a_quarter_of_nyquist(down, across, share):
    assert high_frequency_share(wave(down, across)).item() == pytest.approx(share, abs=1e-5)


def test_a_checkerboard_is_all_high_frequency():
    y, x = torch.meshgrid(torch.arange(32), torch.arange(48), indexing="ij")
    assert high_frequency_share(((y + x) % 2).float().expand(1, 3, -1, -1)).item() == pytest.approx(1)


def test_white_noise_has_the_share_of_its_area():
    shares = high_frequency_share(noise(20, 3, 64, 64))
    assert shares.mean().item() == pytest.approx(1 - np.pi * 0.125**2, abs=0.005)


@pytest.mark.parametrize("side", [16, 60, 224])
@pytest.mark.parametrize("grey", [0.3, 0.5])
def test_a_flat_picture_has_no_frequencies(grey, side):
    assert high_frequency_share(torch.full((1, 3, side, side), grey)).item() == pytest.approx(0, abs=1e-12)


def test_high_frequency_share_against_a_sum_over_waves():
    image = noise(1, 2, 6, 9)
    high = total = 0
    for down, across in product(range(-3, 3), range(-4, 5)):
        wave = np.exp(2j * np.pi * (down * np.arange(6)[:, None] / 6 + across * np.arange(9) / 9))
        energy = sum(abs((channel * wave).sum()) ** 2 for channel in image[0].numpy()) if down or across else 0
        total += energy
        high += energy * (np.hypot(down / 6, across / 9) > 0.5 / 4)
    assert 0 < high < total
    assert high_frequency_share(image).item() == pytest.approx(high / total)


@pytest.mark.parametrize("down, across, centroid", [(8, 0, 1 / 4), (0, 16, 1 / 2), (6, 8, 10 / 32), (32, 32, 2**0.5)])
def test_the_centroid_of_a_wave_is_its_frequency(down, across, centroid):
    assert spectral_centroid(wave(down, across)).item() == pytest.approx(centroid, abs=1e-5)


def test_the_centroid_of_white_noise_is_the_mean_of_the_square():
    y, x = np.meshgrid(np.linspace(-1, 1, 400), np.linspace(-1, 1, 400))
    assert spectral_centroid(noise(20, 3, 64, 64)).mean().item() == pytest.approx(np.hypot(x, y).mean(), abs=0.01)
    assert spectral_centroid(torch.full((1, 3, 16, 16), 0.3)).item() == pytest.approx(0, abs=1e-12)


def test_twice_the_best_images_activation_has_ratio_2_and_beats_them_all():
    ratio, percentile = relative_activation(torch.tensor([6.0, 1.0, -3.0]), torch.tensor([[1.0, 3.0, -2.0]] * 3))
    assert ratio.tolist() == pytest.approx([2, 1 / 3, -1])
    assert percentile.tolist() == pytest.approx([1, 0.5, 0])


@pytest.mark.parametrize("best", [0.0, -1.0])
def test_where_no_natural_image_activates_there_is_no_ratio_but_a_percentile(best):
    ratio, percentile = relative_activation(torch.tensor([2.0, -3.0]), torch.tensor([[best, -2.0, -4.0]] * 2))
    assert ratio.isnan().all()
    assert percentile.tolist() == pytest.approx([1, 1 / 3])


def test_relative_activation_against_scipy_with_ties():
    score, natural = noise(20).round(decimals=1), noise(20, 50, seed=1).round(decimals=1)
    ratio, percentile = relative_activation(score, natural)
    assert any(x in row for x, row in zip(score.tolist(), natural.tolist(), strict=True))
    for f in range(20):
        assert ratio[f] == pytest.approx(score[f].item() / max(natural[f].tolist()))
        assert percentile[f] == pytest.approx(percentileofscore(natural[f], score[f], kind="mean") / 100)


def test_the_percentile_does_not_depend_on_the_scale_of_activations():
    score, natural = noise(20), noise(20, 50, seed=1)
    assert torch.equal(
        relative_activation(score.exp() - 9, natural.exp() - 9)[1], relative_activation(score, natural)[1]
    )


def test_seeds_that_show_the_same_agree():
    assert seed_agreement(torch.eye(8) + 0.05 * noise(3, 8, 8)).tolist() == [1] * 8


def test_seeds_that_show_opposites_disagree():
    assert seed_agreement(torch.stack([torch.eye(8), -torch.eye(8)])).tolist() == [0] * 8


def test_a_start_that_all_features_of_a_seed_share_is_no_agreement_nor_the_lack_of_it():
    assert seed_agreement(torch.eye(4)[:3, None].expand(3, 5, 4)).tolist() == [0.5] * 5


def test_random_pictures_agree_at_chance():
    assert abs(seed_agreement(noise(3, 200, 32)).mean() - 0.5) < 4 * np.sqrt(1 / 12 / 200)


def test_seed_agreement_against_counting():
    pictures = (0.5 * noise(6, 12) + noise(3, 6, 12, seed=1)).double()
    found = seed_agreement(pictures)
    assert 0.5 < found.mean() < 1
    unit = pictures.numpy() / np.linalg.norm(pictures.numpy(), axis=2, keepdims=True)
    for f in range(6):
        same = [unit[a, f] @ unit[b, f] for a, b in combinations(range(3), 2)]
        other = [unit[a, f] @ unit[b, g] for a, b in permutations(range(3), 2) for g in range(6) if g != f]
        assert found[f] == pytest.approx(np.mean([x > y for x, y in product(same, other)]))


def near(axis: int, count: int, seed: int) -> torch.Tensor:
    """[3 features, count, 6], embeddings about one axis."""
    return torch.eye(6)[axis] + 0.05 * noise(3, count, 6, seed=seed)


def test_a_judge_whose_references_point_at_the_queries_is_always_right_and_misled_by_swapped_ones():
    positives, negatives, strong, weak = near(0, 5, 0), near(1, 5, 1), near(0, 4, 2), near(1, 4, 3)
    assert machine_interpretability(positives, negatives, strong, weak).tolist() == [1] * 3
    assert machine_interpretability(negatives, positives, strong, weak).tolist() == [0] * 3


def test_what_a_feature_rejects_tells_queries_apart_too():
    assert machine_interpretability(near(0, 5, 0), near(1, 5, 1), near(2, 4, 2), near(1, 4, 3)).tolist() == [1] * 3


def test_references_that_say_nothing_leave_the_judge_at_chance():
    references = near(0, 5, 0)
    shuffled = references[:, [3, 1, 4, 0, 2]]
    assert machine_interpretability(references, shuffled, near(0, 4, 2), near(1, 4, 3)).tolist() == [0.5] * 3


def test_machine_interpretability_against_counting():
    positives, negatives = noise(6, 5, 12), noise(6, 3, 12, seed=1)
    strong, weak = noise(6, 8, 12, seed=2) + 0.3 * positives.mean(1, keepdim=True), noise(6, 7, 12, seed=3)
    found = machine_interpretability(positives, negatives, strong, weak)
    assert 0.5 < found.mean() < 1

    def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
        return float(a @ b / a.norm() / b.norm())

    for f in range(6):
        evidence = [
            [
                np.mean([cosine(q, p) for p in positives[f]]) - np.mean([cosine(q, n) for n in negatives[f]])
                for q in side
            ]
            for side in (strong[f], weak[f])
        ]
        assert found[f] == pytest.approx(np.mean([s > w for s, w in product(*evidence)]))


# Three orders of four channels, of which the second is the first in reverse and the third correlates 0 with both.
RISING, FALLING, CROSSED = torch.tensor([[1.0, 2, 3, 4], [4, 3, 2, 1], [2, 4, 1, 3]])


@pytest.mark.parametrize("shown, agreement", [(RISING, 1), (CROSSED, 0), (FALLING, -1), (torch.ones(4), 0)])
def test_a_path_is_the_features_own_another_features_or_its_opposite(shown, agreement):
    natural = torch.stack([RISING, CROSSED])[:, None].expand(2, 3, 4)
    assert path_agreement(torch.stack([shown, CROSSED]), natural).tolist() == pytest.approx([agreement, 1])


def test_a_natural_image_that_leaves_the_layer_flat_correlates_0_with_its_kind():
    natural = torch.stack([torch.stack([RISING, RISING, torch.ones(4)]), CROSSED.expand(3, 4)])
    like_own, ceiling = 2 / 3, 1 / 3
    found = path_agreement(torch.stack([RISING, CROSSED]), natural)
    assert found.tolist() == pytest.approx([like_own / ceiling, 1])


def test_a_natural_image_scores_1_as_a_visualization_and_another_features_0():
    features = noise(50, 400)
    natural = features[:, None] + noise(50, 10, 400, seed=1)
    held_out = features + noise(50, 400, seed=2)
    assert path_agreement(held_out, natural).mean() == pytest.approx(1, abs=0.03)
    assert path_agreement(held_out.roll(1, 0), natural).mean() == pytest.approx(0, abs=0.03)


def test_where_a_layer_does_not_tell_features_apart_there_is_no_agreement_to_measure():
    pair = torch.stack([RISING, CROSSED])
    assert path_agreement(pair, RISING.expand(2, 3, 4)).isnan().all()
    assert path_agreement(pair, torch.stack([pair, pair])).isnan().all()  # less alike within a feature than between


def test_path_agreement_against_scipy_with_ties():
    natural = (noise(4, 1, 30) + noise(4, 3, 30, seed=1)).relu().round(decimals=1)
    shown = (natural[:, 0] + noise(4, 30, seed=2)).relu()

    def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
        return spearmanr(a.numpy(), b.numpy()).statistic

    for f, found in enumerate(path_agreement(shown, natural)):
        others = [image for g in range(4) if g != f for image in natural[g]]
        like_own = np.mean([correlation(shown[f], image) for image in natural[f]])
        ceiling = np.mean([correlation(a, b) for a, b in combinations(natural[f], 2)])
        floor = np.mean([correlation(a, b) for a, b in product(natural[f], others)])
        assert floor < ceiling
        assert found == pytest.approx((like_own - floor) / (ceiling - floor))


MEASURES = pytest.mark.parametrize(
    "measure, shapes",
    [
        (identification, [(2, 4), (2, 3, 4)]),
        (relative_activation, [(2,), (2, 3)]),
        (seed_agreement, [(2, 2, 4)]),
        (machine_interpretability, [(2, 3, 4)] * 4),
        (path_agreement, [(2, 4), (2, 3, 4)]),
        (kernel_distance, [(2, 4), (3, 4)]),
        (transferability, [(3, 2), (3, 4), (2, 4)]),
    ],
)


@MEASURES
def test_scores_are_one_a_feature_in_float64_whatever_comes_in(measure, shapes):
    own = [torch.arange(2)] if measure is identification else []
    found = measure(*(noise(*shape, seed=i).half() for i, shape in enumerate(shapes)), *own)
    for scores in found if isinstance(found, tuple) else [found]:
        assert scores.shape == (2,)
        assert scores.dtype == torch.float64


@MEASURES
def test_numbers_that_are_not_finite_are_refused_not_scored(measure, shapes):
    own = [torch.arange(2)] if measure is identification else []
    for broken in range(len(shapes)):
        inputs = [noise(*shape, seed=i) for i, shape in enumerate(shapes)]
        measure(*inputs, *own)
        inputs[broken].view(-1)[0] = torch.nan
        with pytest.raises(FloatingPointError, match="not finite"):
            measure(*inputs, *own)


@pytest.mark.parametrize("seeds, features", [(1, 5), (5, 1)])
def test_one_seed_or_one_feature_has_nothing_to_agree_with(seeds, features):
    with pytest.raises(ValueError, match="two seeds and two features"):
        seed_agreement(noise(seeds, features, 4))


@pytest.mark.parametrize("features, images", [(1, 5), (5, 1)])
def test_one_feature_or_one_image_sets_no_scale_for_paths(features, images):
    with pytest.raises(ValueError, match="two features and two images"):
        path_agreement(noise(features, 4), noise(features, images, 4))
