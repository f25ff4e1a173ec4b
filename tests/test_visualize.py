"""A feature's picture is its own affair, and the loop is the plain one made fast."""

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
from vitexplore.visualize.augment import AUGMENTATIONS
from vitexplore.visualize.objective import Channels, Logits
from vitexplore.visualize.optimize import normaliser, total_variation, visualize
from vitexplore.visualize.parametrize import PARAMETRIZATIONS
from vitexplore.visualize.recipes import PAPER, RECIPES, RELEASED, Recipe, recipe_for

SITE = Site("ffn", 1)
SHORT = replace(PAPER, steps=5, copies=2)
PLAIN = replace(SHORT, augmentations=())


def channels(*labels: int) -> Channels:
    return Channels(SITE, labels)


# the recipe's parts


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


# a silent feature


@pytest.fixture
def silent(vit):
    """The ViT whose feature 0 lies so far below 0 that GELU passes neither value nor gradient."""
    with torch.no_grad():
        vit.trunk.blocks[1].mlp.fc1.bias[0] = -12.0
        vit.trunk.blocks[1].mlp.fc1.weight[0] *= 10
    return vit


def test_a_silent_feature_stays_silent_unless_the_nonlinearity_leaks(silent):
    quick = Recipe("quick", (), parametrization="fourier", steps=30, copies=1)
    still, woken = (visualize(silent, channels(0), replace(quick, leak=leak)) for leak in (0.0, 0.1))
    assert still.score.abs() < 1e-6
    assert woken.score > 0.05


def test_a_leak_adds_to_the_gradient_and_to_no_value(shared_vit):
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    plain, leaky = (channels(3).bind(shared_vit, leak)(image)[0, 0] for leak in (0.0, 0.1))
    assert plain == leaky
    before = []
    handle = shared_vit.trunk.blocks[1].mlp.fc1.register_forward_hook(lambda _m, _i, output: before.append(output))
    shared_vit.trunk(image)
    handle.remove()
    mean = before[0][0, 1:, 3].mean()  # without CLS
    by_hand, of_plain, of_leaky = (torch.autograd.grad(value, image)[0] for value in (0.1 * mean, plain, leaky))
    torch.testing.assert_close(of_leaky, of_plain + by_hand)


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
