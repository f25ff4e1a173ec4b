"""Ways of visualizing: the paper's, its released code's, and two of ours, `fast` and `fine`.

Where the paper and its code differ, both are kept, point by point: the colour shift and its inverse, noise for each
pixel and one offset for each copy, their order, one shift for each copy and one for all. ``tv`` is in units of a mean
over positions and copies: the released code's weight of 0.0005 on an objective that is an eighth of that mean.

At equal differences between neighbours, total variation (a sum of norms over pixels) grows with the image's side; the
objective, a mean over positions, does not. So `recipe_for` scales the weight of the paper's two recipes by the paper's
side over the model's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vitexplore.errors import InputError
from vitexplore.models.catalogue import paper_side
from vitexplore.models.spec import ModelSpec


@dataclass(frozen=True)
class Recipe:
    """One way of visualizing. ``copies`` augmented copies a step; ``learning_rate`` at the first step, falling to 0
    by a cosine; ``betas`` of Adam; ``tv`` weighs total variation (in RECIPES: at the paper's image size);
    ``augmentations`` in the order in which they are applied; ``leak`` is added to the slope of the nonlinearity at
    `ffn` sites, in the gradient alone: a feature that is silent at the start else has none, and stays dead. (The code
    of Olah, Mordvintsev and Schubert 2017 redirects the gradients that ReLUs block, in the first steps.)"""

    name: str
    augmentations: tuple[str, ...]
    parametrization: str = "pixels"
    steps: int = 400
    copies: int = 8
    learning_rate: float = 0.1
    betas: tuple[float, float] = (0.5, 0.99)
    tv: float = 0.004
    leak: float = 0.0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.copies < 1:
            raise InputError(f"recipe {self.name}: {self.steps} steps of {self.copies} copies; 1 is the least")


PAPER = Recipe("paper", ("jitter", "colour_shift", "gaussian_smoothing"))
RELEASED = Recipe("released", ("inverse_colour_shift", "gaussian_offset", "shared_jitter"))
FAST = Recipe(
    "fast", ("gaussian_offset", "jitter"), parametrization="fourier", steps=100, copies=1, learning_rate=0.1, leak=0.3
)
FINE = replace(FAST, name="fine", copies=4)
RECIPES = {recipe.name: recipe for recipe in (PAPER, RELEASED, FAST, FINE)}
DEPTHS = {"early": 0.15, "middle": 0.5, "late": 0.85}  # of the way from the first block to the last


def recipe_for(name: str, spec: ModelSpec, **changes: Any) -> Recipe:
    """The recipe ``name`` for the model of ``spec``, whose input size is known, with ``changes``. In the paper's recipe
    and the released code's, total variation weighs as much on a pixel as at the paper's image size, and CLIP has a
    learning rate of 1. Raises InputError for an unknown name."""
    if name not in RECIPES:
        raise InputError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    if recipe.parametrization == "pixels":
        recipe = replace(recipe, tv=recipe.tv * (paper_side(spec) / spec.input_size))
        if spec.family == "clip":
            recipe = replace(recipe, learning_rate=1.0)
    return replace(recipe, **changes)


PARTS = {
    "jitter": ("jitter", "shared_jitter"),
    "colour_shift": ("colour_shift", "inverse_colour_shift"),
    "gaussian": ("gaussian_smoothing", "gaussian_offset"),
}


def without(recipe: Recipe, part: str) -> Recipe:
    """``recipe`` less one of its parts: ``tv``, ``jitter``, ``colour_shift``, ``gaussian``, ``ensembling`` (one copy a
    step); all of it for "". Raises InputError for another part."""
    if part == "":
        return recipe
    if part == "tv":
        return replace(recipe, tv=0.0)
    if part == "ensembling":
        return replace(recipe, copies=1)
    return replace(recipe, augmentations=tuple(each for each in recipe.augmentations if each not in _of(part)))


def alone(recipe: Recipe, part: str) -> Recipe:
    """``recipe`` with one of its augmentations alone (``jitter``, ``colour_shift``, ``gaussian``), or bare for
    ``nothing``: its copies would be alike, so there is one, and as many passes. Raises InputError for another part."""
    if part == "nothing":
        return replace(recipe, augmentations=(), copies=1, steps=recipe.steps * recipe.copies)
    return replace(recipe, augmentations=tuple(each for each in recipe.augmentations if each in _of(part)))


def _of(part: str) -> tuple[str, ...]:
    if part not in PARTS:
        raise InputError(f"no part {part!r} of a recipe; there are tv, ensembling, nothing, {', '.join(PARTS)}")
    return PARTS[part]


def in_turn(
    recipe: Recipe, left_out: Sequence[str], alone_: Sequence[str] = (), sweep: bool = False
) -> list[tuple[str, Recipe]]:
    """``recipe``, whole, less each part of ``left_out`` that it has, and with each of ``alone_`` alone, each with its
    label. A point of a ``sweep`` over the weight of total variation: whole alone."""
    if sweep:
        return [(f"{recipe.name}, tv {recipe.tv:g}", recipe)]
    less = {part: without(recipe, part) for part in left_out}
    ways = [(recipe.name, recipe), *((f"{recipe.name}+{part}", alone(recipe, part)) for part in alone_)]
    return ways + [(f"{recipe.name}-{part}", other) for part, other in less.items() if other != recipe]
