"""Augmentations follow their laws, a feature's picture is its own affair, and the loop is the plain one made fast."""

import gc
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

from vitexplore.errors import InputError
from vitexplore.models.registry import load
from vitexplore.models.sites import Site, read
from vitexplore.models.spec import ModelSpec
from vitexplore.visualize import memory
from vitexplore.visualize.augment import (
    AUGMENTATIONS,
    colour_shift,
    gaussian_offset,
    gaussian_smoothing,
    inverse_colour_shift,
    jitter,
    shared_jitter,
)
from vitexplore.visualize.memory import fitting_batch, is_out_of_memory, kept_bytes
from vitexplore.visualize.objective import Channels, Logits
from vitexplore.visualize.optimize import Engine, normaliser, total_variation, visualize
from vitexplore.visualize.parametrize import PARAMETRIZATIONS
from vitexplore.visualize.recipes import OURS, PAPER, RECIPES, RELEASED, Recipe, recipe_for, without

SITE = Site("ffn", 1)
SHORT = replace(PAPER, steps=5, copies=2)
PLAIN = replace(SHORT, augmentations=())


def generators(count: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + number) for number in range(count)]


def pictures(f: int, k: int, side: int, seed: int = 9) -> torch.Tensor:
    """k copies of each of f random images."""
    images = torch.rand(f, 1, 3, side, side, generator=torch.Generator().manual_seed(seed))
    return images.expand(-1, k, -1, -1, -1)


def channels(*labels: int) -> Channels:
    return Channels(SITE, labels)


def shifts_of(images: torch.Tensor, moved: torch.Tensor, most: int) -> list[list[tuple[int, int]]]:
    """How far each copy [f, k] was rolled, down and right, found by its first pixel. KeyError for a shift of more than
    ``most``."""
    reach = range(-most, most + 1)
    found = []
    for image, copies in zip(images[:, 0], moved, strict=True):
        by_corner = {float(image[0, -down, -right]): (down, right) for down in reach for right in reach}
        found.append([by_corner[float(copy[0, 0, 0])] for copy in copies])
        for copy, shift in zip(copies, found[-1], strict=True):
            assert torch.equal(copy, image.roll(shift, (1, 2)))
    return found


# augmentations


@pytest.mark.parametrize("side, most", [(24, 2), (48, 4), (64, 5)])
def test_jitter_is_a_circular_shift_of_up_to_a_twelfth_of_the_side(side, most):
    images = pictures(3, 200, side)
    seen = {shift for copies in shifts_of(images, jitter(images, generators(3), 0), most) for shift in copies}
    assert {down for down, _ in seen} == {right for _, right in seen} == set(range(-most, most + 1))
    assert any(down != right for down, right in seen)


def test_shared_jitter_shifts_all_copies_of_a_feature_alike_and_each_feature_by_its_own():
    images = pictures(150, 3, 24)
    found = shifts_of(images, shared_jitter(images, generators(150), 0), 2)
    assert all(len(set(copies)) == 1 for copies in found)
    assert {copies[0] for copies in found} == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}


def test_jitter_of_a_paper_sized_image_reaches_32_pixels_and_no_more():
    image = torch.zeros(1, 400, 1, 384, 384, dtype=torch.uint8)
    image[..., 0, 0] = 1
    rows = jitter(image, generators(1), 0)[0, :, 0].amax(2).argmax(1)
    assert {(int(row) + 192) % 384 - 192 for row in rows} == set(range(-32, 33))


@pytest.mark.parametrize("augmentation", [jitter, shared_jitter])
def test_the_gradient_of_jitter_is_the_gradient_of_a_roll(augmentation):
    images, weights = pictures(3, 4, 24).clone(), pictures(3, 4, 24, seed=1)
    mine, plain = images.clone().requires_grad_(), images.clone().requires_grad_()
    moved = augmentation(mine, generators(3), 0)
    (moved * weights).sum().backward()
    shifts = shifts_of(images, moved.detach(), 2)
    rolled = [torch.stack([plain[f, k].roll(shifts[f][k], (1, 2)) for k in range(4)]) for f in range(3)]
    (torch.stack(rolled) * weights).sum().backward()
    assert torch.equal(mine.grad, plain.grad)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=AUGMENTATIONS)
def test_the_gradient_of_an_augmentation_equals_finite_differences(augmentation):
    images = torch.rand(2, 2, 1, 6, 12, dtype=torch.float64, generator=generators(1)[0], requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: augmentation(x, generators(2), 0.5), images)


def affine(images: torch.Tensor, found: torch.Tensor) -> np.ndarray:
    """Slope and offset of every copy and channel [n, 2]; fails where it is no line."""
    drawn = []
    x, y = (values.flatten(3).flatten(0, 2).double().numpy() for values in (images, found))
    for before, after in zip(x, y, strict=True):
        slope, offset = np.polyfit(before, after, 1)
        assert np.allclose(after, slope * before + offset, atol=1e-5)
        drawn.append((slope, offset))
    return np.array(drawn)


@pytest.mark.parametrize("augmentation", [colour_shift, inverse_colour_shift])
def test_colour_shifts_are_affine_in_each_copy_and_channel_within_their_bounds(augmentation):
    images = pictures(3, 300, 4)
    slope, offset = affine(images, augmentation(images, generators(3), 0)).T
    if augmentation is inverse_colour_shift:  # (x - mu) / sigma
        slope, offset = 1 / slope, -offset / slope
    drawn = np.stack([np.log(slope), offset], axis=1)
    assert len(np.unique(drawn.round(9), axis=0)) == 2700  # its own for each copy and channel
    assert np.abs(drawn).max() <= 1 + 1e-4
    assert np.allclose(drawn.mean(0), 0, atol=0.06)
    assert np.allclose(drawn.std(0), 1 / np.sqrt(3), atol=0.03)  # of U(-1, 1)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.1


def test_the_released_colour_shift_undoes_the_papers():
    images = pictures(3, 4, 8)
    there = colour_shift(images, generators(3), 0)
    assert torch.allclose(inverse_colour_shift(there, generators(3), 0), images, atol=1e-5)


def assert_normal(noise: torch.Tensor, std: float) -> None:
    n = noise.numel()
    assert abs(noise.mean()) < 4 * std / n**0.5
    assert abs(noise.std() - std) < 4 * std / (2 * n) ** 0.5
    assert abs((noise.abs() < std).double().mean() - 0.6827) < 4 * (0.6827 * 0.3173 / n) ** 0.5


def test_gaussian_smoothing_adds_standard_normal_noise_to_every_pixel():
    images = pictures(2, 4, 32)
    noise = (gaussian_smoothing(images, generators(2), 0) - images).double()
    assert_normal(noise, 1)
    for axis in range(5):  # no two copies, channels or neighbours share their noise
        a, b = noise.narrow(axis, 1, noise.shape[axis] - 1), noise.narrow(axis, 0, noise.shape[axis] - 1)
        assert abs(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]) < 0.05


@pytest.mark.parametrize("progress", [0, 0.25, 0.9])
def test_gaussian_offset_adds_one_value_to_each_copy_and_channel_that_shrinks_to_nothing(progress):
    images = torch.zeros(4, 500, 3, 2, 2)
    noise = gaussian_offset(images, generators(4), progress)
    assert torch.equal(noise, noise[..., :1, :1].expand_as(noise))
    assert noise.unique().numel() == 4 * 500 * 3
    assert_normal(noise[..., 0, 0].double(), 0.5 * (1 - progress))


def test_gaussian_offset_is_nothing_at_the_end():
    images = pictures(2, 3, 4)
    assert torch.equal(gaussian_offset(images, generators(2), 1), images)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=AUGMENTATIONS)
def test_an_augmentation_of_one_feature_does_not_depend_on_the_others(augmentation):
    images = pictures(3, 4, 24)
    together = augmentation(images, generators(3), 0.3)
    assert not torch.equal(together, images)
    for f in range(3):
        assert torch.equal(augmentation(images[f : f + 1], generators(1, seed=f), 0.3)[0], together[f])


# recipes


def test_the_paper_and_its_released_code_differ_as_the_table_says():
    """Section 1 of the notes on the paper: order, sharing of the jitter, weight of the total variation."""
    settings = {"parametrization": "pixels", "steps": 400, "copies": 8, "learning_rate": 0.1, "betas": (0.5, 0.99)}
    paper = Recipe("paper", ("jitter", "colour_shift", "gaussian_smoothing"), tv=0.004, **settings)
    released = Recipe("released", ("inverse_colour_shift", "gaussian_offset", "shared_jitter"), tv=0.004, **settings)
    assert (paper, released) == (PAPER, RELEASED)
    assert {name: recipe.name for name, recipe in RECIPES.items()} == {n: n for n in ("paper", "released", "ours")}


FAMILIES = {
    "vit": ("timm", 384),
    "clip": ("open_clip", 224),
    "cnn": ("timm", 224),
}  # source, and the paper's side in pixels


def spec_of(family: str, side: int, architecture: str = "mine") -> ModelSpec:
    return ModelSpec("m", FAMILIES[family][0], architecture, family, input_size=side)


@pytest.mark.parametrize("name", ["paper", "released"])
def test_clip_is_visualized_at_a_learning_rate_of_1_and_nothing_else_changes(name):
    vit, clip, cnn = (spec_of(family, side) for family, (_, side) in FAMILIES.items())
    assert recipe_for(name, clip) == replace(RECIPES[name], learning_rate=1.0)
    assert recipe_for(name, vit) == recipe_for(name, cnn) == RECIPES[name]
    assert recipe_for(name, clip, learning_rate=0.2, steps=3) == replace(RECIPES[name], learning_rate=0.2, steps=3)
    assert recipe_for("ours", clip) == OURS


@pytest.mark.parametrize("family", FAMILIES)
def test_total_variation_weighs_more_the_smaller_the_image_is_beside_the_papers(family):
    for name in ("paper", "released"):
        expected = RECIPES[name].tv * FAMILIES[family][1] / 64
        assert recipe_for(name, spec_of(family, 64)).tv == pytest.approx(expected)
        assert recipe_for(name, spec_of(family, 64), tv=0.3).tv == 0.3
    assert recipe_for("ours", spec_of(family, 64)).tv == OURS.tv


@pytest.mark.parametrize("name", ["paper", "released"])
def test_an_image_laid_four_times_side_by_side_pays_as_much_as_the_image(name):
    """Each pixel has the same neighbours, but for those at the seams, and any mean over positions stays."""
    small = torch.rand(5, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    pays = [
        recipe_for(name, spec_of("vit", images.shape[-1])).tv * total_variation(images)
        for images in (small, small.repeat(1, 1, 1, 2, 2))
    ]
    assert torch.allclose(*pays, rtol=0.01)


def test_the_gradient_on_a_pixel_of_an_image_laid_four_times_side_by_side_is_a_quarter():
    """As that of a mean over four times as many positions is."""
    gradients = []
    small = torch.rand(1, 1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    for images in (small, small.repeat(1, 1, 1, 2, 2)):
        pixels = images.clone().requires_grad_()
        (recipe_for("paper", spec_of("vit", images.shape[-1])).tv * total_variation(pixels)).sum().backward()
        gradients.append(pixels.grad[0, 0, 0, 1:63, 1:63])
    assert (gradients[0] - 4 * gradients[1]).abs().max() < 0.01 * gradients[0].abs().max()


def test_leaving_a_part_out_leaves_the_rest():
    assert without(PAPER, "") == PAPER
    assert without(PAPER, "tv") == replace(PAPER, tv=0.0)
    assert without(PAPER, "ensembling") == replace(PAPER, copies=1)
    assert without(PAPER, "colour_shift").augmentations == ("jitter", "gaussian_smoothing")
    assert without(RELEASED, "jitter").augmentations == ("inverse_colour_shift", "gaussian_offset")
    assert without(RELEASED, "gaussian").augmentations == ("inverse_colour_shift", "shared_jitter")
    plain = replace(PAPER, augmentations=())
    assert without(plain, "gaussian") == plain


@pytest.mark.parametrize("wrong", [lambda: recipe_for("papper", spec_of("vit", 384)), lambda: without(PAPER, "jiter")])
def test_an_unknown_recipe_or_part_is_refused_with_what_there_is(wrong):
    with pytest.raises(InputError, match=r"there are .*, "):
        wrong()


@pytest.mark.parametrize("change", [{"augmentations": ("jiter",)}, {"parametrization": "pixel"}])
def test_an_unknown_augmentation_or_parametrization_is_refused(shared_vit, change):
    with pytest.raises(InputError, match=r"^no (augmentation 'jiter'; there are jitter|parametrization 'pixel'; ther)"):
        visualize(shared_vit, channels(0), replace(SHORT, **change))


def test_augmentations_run_in_the_recipes_order_on_all_copies_with_the_progress_of_the_run(shared_vit, monkeypatch):
    calls = []
    for name, augmentation in list(AUGMENTATIONS.items()):

        def spied(images, generators, progress, name=name, augmentation=augmentation):
            calls.append((name, images.shape[:2], progress))
            return augmentation(images, generators, progress)

        monkeypatch.setitem(AUGMENTATIONS, name, spied)
    visualize(shared_vit, channels(0, 1, 2), replace(RELEASED, steps=4, copies=5), batch=3)
    assert calls == [
        (name, (3, 5), step / 4)
        for step in range(4)
        for name in ("inverse_colour_shift", "gaussian_offset", "shared_jitter")
    ]


# total variation


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


# one feature among others


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize("name", RECIPES)
def test_a_picture_does_not_depend_on_what_else_is_in_the_batch(shared_vit, name, parametrization):
    recipe = replace(RECIPES[name], parametrization=parametrization, steps=5, copies=2)
    first = Site("ffn", 0)
    sixteen = visualize(shared_vit, Channels(first, (7, 40, 3, *range(100, 113))), recipe, seed=1, batch=16)
    three = visualize(shared_vit, Channels(first, (3, 7, 40)), recipe, seed=1, batch=3)
    for place, feature in enumerate((7, 40)):
        alone = visualize(shared_vit, Channels(first, (feature,)), recipe, seed=1, batch=1)
        for company, at in ((three, (3, 7, 40).index(feature)), (sixteen, place)):
            assert torch.allclose(alone.images[0], company.images[at], atol=1e-4)
            assert torch.allclose(alone.loss[:, 0], company.loss[:, at], atol=1e-4)
            assert torch.allclose(alone.score[0], company.score[at], atol=1e-4)


def test_features_come_out_in_their_order_whatever_the_batch_size(shared_vit):
    objective = channels(9, 2, 30, 4, 11)
    whole = visualize(shared_vit, objective, SHORT, batch=5)
    parts = visualize(shared_vit, objective, SHORT, batch=2)
    assert (whole.batch, parts.batch) == (5, 2)
    for found, expected in ((parts.images, whole.images), (parts.loss, whole.loss), (parts.score, whole.score)):
        assert found.shape == expected.shape
        assert torch.allclose(found, expected, atol=1e-4)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_picture(shared_vit):
    first, second, other = (visualize(shared_vit, channels(5, 9), SHORT, seed, 2) for seed in (1, 1, 2))
    assert first.images.numpy().tobytes() == second.images.numpy().tobytes()
    assert first.loss.numpy().tobytes() == second.loss.numpy().tobytes()
    assert (first.images - other.images).abs().mean() > 0.05


def test_a_feature_that_is_not_a_number_is_named_and_the_others_are_not(vit):
    def spoil(_module, _inputs, out):
        return torch.where(torch.arange(out.shape[2]) == 41, torch.nan, out)

    vit.trunk.blocks[SITE.block].mlp.act.register_forward_hook(spoil)
    with pytest.raises(FloatingPointError, match=r"^m ffn 1: not finite for feature 41$"):
        visualize(vit, channels(12, 41, 7), SHORT)


# the loop


def plain_loop(model, site, feature: int, recipe: Recipe, seed: int) -> tuple[torch.Tensor, list[float], list[float]]:
    """One feature of the FFN, the textbook's way: the whole model, a hook, torch's own schedule. The image, the losses
    and the learning rates."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + feature)
    side = model.spec.input_size
    image = torch.rand(3, side, side, generator=generator).requires_grad_()
    optimizer = torch.optim.Adam([image], lr=recipe.learning_rate, betas=recipe.betas)
    schedule = CosineAnnealingLR(optimizer, T_max=recipe.steps)
    caught = []
    module = model.trunk.blocks[site.block].mlp.act
    handle = module.register_forward_hook(lambda _module, _inputs, output: caught.append(output))
    losses, rates = [], []
    for step in range(recipe.steps):
        copies = torch.stack([image] * recipe.copies)
        for name in recipe.augmentations:
            copies = AUGMENTATIONS[name](copies[None], [generator], step / recipe.steps)[0]
        model.trunk((copies - 0.5) / 0.5)
        maps = caught.pop()[:, model.trunk.num_prefix_tokens :, feature]
        terms = [m.mean() - recipe.tv * total_variation(c[None, None])[0] for m, c in zip(maps, copies, strict=True)]
        loss = -sum(terms) / recipe.copies
        optimizer.zero_grad()
        loss.backward()
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            image.clamp_(0, 1)
        losses.append(loss.item())
    handle.remove()
    return image.detach(), losses, rates


@pytest.mark.parametrize("augmentations", [(), PAPER.augmentations, RELEASED.augmentations], ids=len)
def test_three_steps_equal_a_plain_loop_of_torchs_adam_and_cosine_schedule(shared_vit, augmentations):
    recipe = replace(PAPER, steps=3, copies=2, augmentations=augmentations, tv=0.05)
    found = visualize(shared_vit, channels(20, 8), recipe, seed=4, batch=2)
    for place, feature in enumerate((20, 8)):
        image, losses, _ = plain_loop(shared_vit, SITE, feature, recipe, seed=4)
        assert torch.allclose(found.images[place], image, atol=1e-5)
        assert found.loss[:, place].tolist() == pytest.approx(losses, abs=1e-5)


def test_the_learning_rate_falls_by_a_cosine(shared_vit, monkeypatch):
    recipe, rates = replace(PLAIN, steps=7, learning_rate=0.3), []
    step = torch.optim.Adam.step

    def spied(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        assert self.param_groups[0]["betas"] == (0.5, 0.99)
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", spied)
    visualize(shared_vit, channels(0), recipe, batch=1)
    monkeypatch.undo()
    assert rates == pytest.approx(plain_loop(shared_vit, SITE, 0, recipe, 0)[2])
    assert rates[0] == 0.3 and rates[-1] < 0.02


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_the_loss_of_a_recipe_without_augmentations_is_the_weighed_variation_less_the_score(
    shared_vit, parametrization
):
    recipe = replace(PLAIN, steps=1, learning_rate=0.0, tv=0.3, parametrization=parametrization)
    found = visualize(shared_vit, channels(8, 90), recipe)
    expected = 0.3 * total_variation(found.images[:, None]) - found.score
    assert torch.allclose(found.loss[0], expected, atol=1e-5)


def test_the_score_is_the_mean_of_the_features_own_map_on_its_own_image(shared_vit):
    found = visualize(shared_vit, channels(4, 250, 17), SHORT)
    for score, image, feature in zip(found.score, found.images, (4, 250, 17), strict=True):
        with torch.no_grad():
            maps = read(shared_vit, SITE, (image[None] - 0.5) / 0.5).bpc[0]
        assert score.item() == pytest.approx(maps[:, feature].mean().item(), abs=1e-5)


@pytest.mark.parametrize(
    "architecture, family, site",
    [
        ("lab_vit", "vit", Site("ffn", 1)),
        ("lab_vit", "vit", Site("key", 1)),
        ("lab_clip", "clip", Site("value", 0)),
        ("lab_cnn", "cnn", Site("channel", 1)),
        ("lab_swin", "vit", Site("block", 0)),
    ],
)
@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_optimization_raises_every_clean_score_over_that_of_its_start(architecture, family, site, parametrization):
    model, objective = load(ModelSpec("m", "lab", architecture, family, "random")), Channels(site, (1, 15))
    still = replace(PLAIN, steps=1, copies=1, learning_rate=0.0, parametrization=parametrization)
    start = visualize(model, objective, still)
    found = visualize(model, objective, replace(still, steps=12, learning_rate=0.1))
    assert (found.score > start.score + 0.05).all()
    assert found.images.min() >= 0 and found.images.max() <= 1


def test_a_class_logit_is_raised_too(shared_vit):
    start = visualize(shared_vit, Logits((2, 11)), replace(PLAIN, steps=1, copies=1, learning_rate=0.0))
    found = visualize(shared_vit, Logits((2, 11)), replace(PLAIN, steps=8, copies=1))
    assert (found.score > start.score + 0.1).all()


def test_the_papers_recipe_lowers_its_loss_and_keeps_images_between_0_and_1(shared_vit):
    found = visualize(shared_vit, channels(*range(0, 40, 8)), replace(SHORT, steps=30))
    assert found.images.shape == (5, 3, 64, 64)
    assert found.loss.shape == (30, 5)
    assert found.images.min() == 0 and found.images.max() == 1
    assert found.loss[-5:].mean() < found.loss[:5].mean() - 0.03


def test_normaliser_uses_the_models_own_mean_and_std(shared_vit):
    other = replace(shared_vit, spec=replace(shared_vit.spec, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 1.0)))
    found = normaliser(other)(torch.full((1, 3, 2, 2), 0.6))
    assert torch.allclose(found[0, :, 0, 0], torch.tensor([1.0, 1.6, 0.3]))


def test_progress_adds_up_to_the_number_of_features(shared_vit):
    told = []
    visualize(shared_vit, channels(*range(5)), SHORT, batch=2, report=told.append)
    assert sum(told) == pytest.approx(5)
    assert min(told) >= 0 and max(told) <= 2 / SHORT.steps


# what it leaves alone


def test_nothing_after_the_site_runs_and_no_weight_gets_a_gradient_or_changes(vit):
    before = {name: tensor.clone() for name, tensor in vit.module.state_dict().items()}

    def fail(*_):
        raise AssertionError("ran beyond the site")

    for later in (vit.trunk.blocks[SITE.block].mlp.fc2, vit.trunk.blocks[SITE.block + 1], vit.trunk.norm):
        later.register_forward_pre_hook(fail)
    visualize(vit, channels(3, 5), SHORT)
    for name, parameter in vit.module.named_parameters():
        assert parameter.grad is None and not parameter.requires_grad, name
    after = vit.module.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert not vit.trunk.blocks[SITE.block].mlp.act._forward_hooks


@pytest.mark.parametrize("name", RECIPES)
def test_no_random_stream_but_its_own_is_drawn_from(shared_vit, name):
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    visualize(shared_vit, channels(3, 5), recipe_for(name, shared_vit.spec, steps=2))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1]) and random.getstate() == states[2]


def test_memory_does_not_grow_over_runs(shared_vit):
    def held() -> tuple[int, int]:
        """Tensors that are alive, and their bytes."""
        gc.collect()
        tensors = [each for each in gc.get_objects() if issubclass(type(each), torch.Tensor)]
        return len(tensors), sum(each.untyped_storage().nbytes() for each in tensors)

    def run() -> None:
        visualize(shared_vit, channels(1, 2), replace(SHORT, steps=2))

    run()
    before = held()
    for _ in range(3):
        run()
    assert held() == before


# how many features fit


def test_kept_bytes_of_a_linear_layer_are_its_weight_and_what_its_nonlinearity_keeps():
    weight = torch.rand(40, 30)

    def trial(rows: int) -> None:
        x = torch.rand(rows, 40, requires_grad=True)
        (x @ weight).sigmoid().sum().backward()  # the product needs the weight again, the sigmoid its own value

    for rows in (1, 2, 7):
        assert kept_bytes(lambda rows=rows: trial(rows)) == 4 * (40 * 30 + rows * 30)


def test_kept_bytes_of_a_step_grow_by_the_same_amount_with_each_feature(shared_vit):
    engine = Engine(shared_vit, replace(RELEASED, copies=4), 0)
    one, two, three, five = (kept_bytes(lambda n=n: engine.trial(channels(*range(n)))) for n in (1, 2, 3, 5))
    assert two > 1.3 * one
    assert three - two == pytest.approx(two - one, rel=0.01)
    assert five - three == pytest.approx(2 * (two - one), rel=0.01)


@pytest.mark.parametrize("free, features", [(0, 1), (3_999, 1), (40_000, 10), (63_999, 15), (10**9, 16)])
def test_as_many_features_as_fit_half_of_what_is_free_at_twice_what_one_keeps(shared_vit, monkeypatch, free, features):
    monkeypatch.setattr(memory, "free_bytes", lambda device: free)
    monkeypatch.setattr(memory, "kept_bytes", lambda trial: 1000)
    assert fitting_batch(lambda: None, shared_vit) == features


def test_one_feature_fits_even_if_its_step_keeps_nothing(shared_vit):
    assert fitting_batch(lambda: None, shared_vit) == 16  # the most on a processor


def test_there_is_some_free_memory():
    assert memory.free_bytes(torch.device("cpu")) > 0


def test_both_allocators_are_understood_and_other_errors_are_not():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
