"""Recipes are those of the paper and of its code, and leaving a part out leaves the rest."""

from dataclasses import replace

import pytest
import torch

from vitexplore.errors import InputError
from vitexplore.models.spec import ModelSpec
from vitexplore.visualize.optimize import total_variation
from vitexplore.visualize.recipes import FAST, PAPER, RECIPES, RELEASED, Recipe, alone, in_turn, recipe_for, without


def test_the_paper_and_its_released_code_differ_as_the_table_says():
    """Section 1 of the notes on the paper: order, sharing of the jitter, weight of the total variation."""
    settings = {"parametrization": "pixels", "steps": 400, "copies": 8, "learning_rate": 0.1, "betas": (0.5, 0.99)}
    paper = Recipe("paper", ("jitter", "colour_shift", "gaussian_smoothing"), tv=0.004, **settings)
    released = Recipe("released", ("inverse_colour_shift", "gaussian_offset", "shared_jitter"), tv=0.004, **settings)
    assert (paper, released) == (PAPER, RELEASED)
    assert {name: recipe.name for name, recipe in RECIPES.items()} == {
        n: n for n in ("paper", "released", "fast", "fine")
    }


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
    assert recipe_for("fast", clip) == FAST


@pytest.mark.parametrize("family", FAMILIES)
def test_total_variation_weighs_more_the_smaller_the_image_is_beside_the_papers(family):
    for name in ("paper", "released"):
        expected = RECIPES[name].tv * FAMILIES[family][1] / 64
        assert recipe_for(name, spec_of(family, 64)).tv == pytest.approx(expected)
        assert recipe_for(name, spec_of(family, 64), tv=0.3).tv == 0.3
    assert recipe_for("fast", spec_of(family, 64)).tv == FAST.tv


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


def test_an_augmentation_alone_keeps_all_else():
    assert alone(PAPER, "gaussian") == replace(PAPER, augmentations=("gaussian_smoothing",))
    assert alone(RELEASED, "jitter") == replace(RELEASED, augmentations=("shared_jitter",))
    assert alone(FAST, "colour_shift") == replace(FAST, augmentations=())


def test_the_bare_recipe_takes_as_many_passes_of_one_copy():
    """Without augmentations its copies would be alike."""
    bare = alone(RELEASED, "nothing")
    assert bare == replace(RELEASED, augmentations=(), copies=1, steps=RELEASED.steps * RELEASED.copies)


def test_a_recipe_comes_whole_with_each_part_alone_and_less_each_part_that_it_has():
    """Recipe fast has one copy and no colour shift."""
    whole = replace(FAST, steps=5)
    found = in_turn(whole, ["tv", "colour_shift", "ensembling"], ["nothing", "gaussian"])
    bare, noise = replace(whole, augmentations=()), replace(whole, augmentations=("gaussian_offset",))
    less = ("fast-tv", replace(whole, tv=0.0))
    assert found == [("fast", whole), ("fast+nothing", bare), ("fast+gaussian", noise), less]


@pytest.mark.parametrize("wrong", [lambda: recipe_for("papper", spec_of("vit", 384)), lambda: without(PAPER, "jiter")])
def test_an_unknown_recipe_or_part_is_refused_with_what_there_is(wrong):
    with pytest.raises(InputError, match=r"there are .*, "):
        wrong()
