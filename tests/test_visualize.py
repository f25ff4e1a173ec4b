"""Augmentations follow their laws, and a feature's picture is its own affair: the same in any company."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vitexplore.errors import InputError
from vitexplore.models.sites import Site, read
from vitexplore.visualize.augment import colour_shift, gaussian_smoothing, jitter
from vitexplore.visualize.optimize import Recipe, clean_scores, normalise, total_variation, visualize

SITE = Site("ffn", 2)
SHORT = Recipe(steps=5, copies=2)


def generators(count: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + number) for number in range(count)]


def pictures(f: int, k: int, side: int, seed: int = 9) -> torch.Tensor:
    """k copies of each of f random images."""
    images = torch.rand(f, 1, 3, side, side, generator=torch.Generator().manual_seed(seed))
    return images.expand(-1, k, -1, -1, -1)


@pytest.mark.parametrize("side, most", [(24, 2), (48, 4), (64, 5)])
def test_jitter_is_a_circular_shift_of_up_to_a_twelfth_of_the_side(side, most):
    images = pictures(3, 200, side)
    found, seen = jitter(images, generators(3)), set()
    shifts = [(dy, dx) for dy in range(-most, most + 1) for dx in range(-most, most + 1)]
    for f in range(3):
        by_corner = {float(images[f, 0, 0, -dy, -dx]): (dy, dx) for dy, dx in shifts}
        for moved in found[f]:
            shift = by_corner[float(moved[0, 0, 0])]  # KeyError: shifted further than allowed
            assert torch.equal(moved, images[f, 0].roll(shift, (1, 2)))
            seen.add(shift)
    assert {dy for dy, _ in seen} == {dx for _, dx in seen} == set(range(-most, most + 1))
    assert any(dy != dx for dy, dx in seen)


def test_jitter_of_a_paper_sized_image_reaches_32_pixels_and_no_more():
    image = torch.zeros(1, 400, 1, 384, 384, dtype=torch.uint8)
    image[..., 0, 0] = 1
    rows = jitter(image, generators(1))[0, :, 0].amax(2).argmax(1)
    assert {(int(row) + 192) % 384 - 192 for row in rows} == set(range(-32, 33))


def test_colour_shift_is_affine_in_each_copy_and_channel_within_its_bounds():
    images = pictures(3, 300, 4)
    found = colour_shift(images, generators(3)).flatten(3).double().numpy()
    drawn = []
    for f in range(3):
        for k in range(300):
            for c in range(3):
                x = images[f, k, c].flatten().double().numpy()
                sigma, mu = np.polyfit(x, found[f, k, c], 1)
                assert np.allclose(found[f, k, c], sigma * x + mu, atol=1e-5)
                drawn.append((np.log(sigma), mu))
    drawn = np.array(drawn)
    assert len(np.unique(drawn.round(9), axis=0)) == len(drawn)  # its own for each copy and channel
    assert np.abs(drawn).max() <= 1 + 1e-4
    assert np.allclose(drawn.mean(0), 0, atol=0.06)
    assert np.allclose(drawn.std(0), 1 / np.sqrt(3), atol=0.03)  # of U(-1, 1)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.1


def test_gaussian_smoothing_adds_standard_normal_noise_to_every_pixel():
    images = pictures(2, 4, 32)
    noise = (gaussian_smoothing(images, generators(2)) - images).double()
    n = noise.numel()
    assert abs(noise.mean()) < 4 / n**0.5
    assert abs(noise.std() - 1) < 4 / (2 * n) ** 0.5
    assert abs((noise.abs() < 1).double().mean() - 0.6827) < 0.01
    for axis in range(5):  # no two copies, channels or neighbours share their noise
        a, b = noise.narrow(axis, 1, noise.shape[axis] - 1), noise.narrow(axis, 0, noise.shape[axis] - 1)
        assert abs(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]) < 0.05


@pytest.mark.parametrize("augmentation", [jitter, colour_shift, gaussian_smoothing])
def test_an_augmentation_of_one_feature_does_not_depend_on_the_others(augmentation):
    images = pictures(3, 4, 24)
    together = augmentation(images, generators(3))
    for f in range(3):
        assert torch.equal(augmentation(images[f : f + 1], generators(1, seed=f))[0], together[f])


def test_total_variation_against_explicit_loops():
    images = torch.rand(2, 3, 2, 5, 6, generator=torch.Generator().manual_seed(0))
    found = total_variation(images)
    x, (h, w) = images.double().numpy(), (5, 6)
    for f in range(2):
        total = 0.0
        for k in range(3):
            for c in range(2):
                for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
                    squares = [
                        (x[f, k, c, i + dy, j + dx] - x[f, k, c, i, j]) ** 2
                        for i in range(h)
                        for j in range(w)
                        if i + dy < h and 0 <= j + dx < w
                    ]
                    total += sum(squares) ** 0.5
        assert found[f].item() == pytest.approx(total / 6, rel=1e-5)


def test_total_variation_of_a_flat_image_is_zero_and_so_is_its_gradient():
    flat = torch.full((1, 1, 3, 8, 8), 0.5, requires_grad=True)
    total_variation(flat).sum().backward()
    assert torch.equal(flat.grad, torch.zeros_like(flat))


def test_a_picture_does_not_depend_on_what_else_is_in_the_batch(shared_vit):
    features = [7, 40, 3, *range(100, 113)]
    sixteen = visualize(shared_vit, SITE, features, SHORT, seed=1)
    three = visualize(shared_vit, SITE, [3, 7, 40], SHORT, seed=1)
    for place, feature in enumerate((7, 40, 3)):
        alone = visualize(shared_vit, SITE, [feature], SHORT, seed=1)
        other = [3, 7, 40].index(feature)
        for company, at in ((three, other), (sixteen, place)):
            assert torch.allclose(alone.images[0], company.images[at], atol=1e-4)
            assert torch.allclose(alone.loss[:, 0], company.loss[:, at], atol=1e-4)
            assert torch.allclose(alone.score[0], company.score[at], atol=1e-4)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_picture(shared_vit):
    first, second, other = (visualize(shared_vit, SITE, [5, 9], SHORT, seed) for seed in (1, 1, 2))
    assert first.images.numpy().tobytes() == second.images.numpy().tobytes()
    assert first.loss.numpy().tobytes() == second.loss.numpy().tobytes()
    assert (first.images - other.images).abs().mean() > 0.05


@pytest.mark.parametrize("site", [Site("ffn", 1), Site("key", 1)])
def test_optimization_raises_the_score_of_every_clean_image_over_the_noise_it_starts_from(shared_vit, site):
    features = [1, 20, 33]
    plain = Recipe(steps=1, copies=1, learning_rate=0.0, augmentations=())
    start = visualize(shared_vit, site, features, plain, seed=0)
    found = visualize(shared_vit, site, features, replace(plain, steps=15, learning_rate=0.1), seed=0)
    assert start.images.std() == pytest.approx(12**-0.5, abs=0.01)  # uniform noise
    assert (found.score > start.score + 1).all()


def test_the_papers_recipe_lowers_its_loss_and_keeps_images_between_0_and_1(shared_vit):
    features = range(0, 60, 8)
    found = visualize(shared_vit, SITE, features, replace(SHORT, steps=30), seed=0)
    assert found.images.shape == (8, 3, 64, 64)
    assert found.loss.shape == (30, 8)
    assert found.images.min() == 0 and found.images.max() == 1
    assert found.loss[-5:].mean() < found.loss[:5].mean() - 0.03


def test_the_score_is_the_mean_of_the_features_own_map_on_its_own_image(shared_vit):
    images, features = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)), [4, 250, 17]
    found = clean_scores(shared_vit, SITE, features, images)
    for score, image, feature in zip(found, images, features, strict=True):
        with torch.no_grad():
            maps = read(shared_vit, SITE, (image[None] - 0.5) / 0.5).bpc[0]
        assert score.item() == pytest.approx(maps[:, feature].mean().item(), abs=1e-5)


def test_the_loss_of_the_plain_recipe_is_minus_the_score_plus_the_weighed_variation(shared_vit):
    recipe = Recipe(steps=1, copies=2, learning_rate=0.0, tv=0.3, augmentations=())
    found = visualize(shared_vit, SITE, [8], recipe, seed=0)
    expected = 0.3 * total_variation(found.images[:, None]) - found.score
    assert torch.allclose(found.loss[0], expected, atol=1e-5)


def test_normalise_uses_the_models_own_mean_and_std(shared_vit):
    other = replace(shared_vit, spec=replace(shared_vit.spec, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 1.0)))
    found = normalise(other, torch.full((1, 3, 2, 2), 0.6))
    assert torch.allclose(found[0, :, 0, 0], torch.tensor([1.0, 1.6, 0.3]))


def test_a_feature_that_is_not_a_number_is_named_and_the_others_are_not(vit):
    def spoil(_module, _inputs, out):
        return torch.where(torch.arange(out.shape[2]) == 41, torch.nan, out)

    vit.trunk.blocks[SITE.block].mlp.act.register_forward_hook(spoil)
    with pytest.raises(FloatingPointError, match=r"m ffn 2: not finite for feature 41$"):
        visualize(vit, SITE, [12, 41, 7], SHORT, seed=0)


def test_channel_that_the_site_lacks_is_refused(shared_vit):
    with pytest.raises(InputError, match="ffn 0 has channels 0 to 255, not 256"):
        visualize(shared_vit, Site("ffn", 0), [3, 256], Recipe(steps=1, copies=1), seed=0)
