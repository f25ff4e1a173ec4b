"""Pictures of features, at some sites and depths, and how well they score (paper section 3, Figs. 1 to 3)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from vitexplore.experiments import Cost, Experiment, Options
from vitexplore.experiments.collect import CollectOptions, Site
from vitexplore.visualize.recipes import DEPTHS, RECIPES, Recipe, in_turn, recipe_for

SITES = ("query", "key", "value", "ffn", "channel")
STEP = 2  # forward passes that a step to the pixels costs: weights need no gradients
Augmentation = Literal["nothing", "jitter", "colour_shift", "gaussian"]
Part = Literal["tv", "jitter", "colour_shift", "gaussian", "ensembling"]


class RecipeOptions(Options):
    """A recipe by name, with changes."""

    name: Annotated[Literal[tuple(RECIPES)], Field(description="the recipe that is changed")]
    steps: Annotated[int, Field(ge=1, description="steps of the optimizer")] | None = None
    copies: Annotated[int, Field(ge=1, description="augmented copies a step")] | None = None
    learning_rate: Annotated[float, Field(gt=0, description="at the first step")] | None = None
    betas: Annotated[tuple[float, float], Field(description="of Adam")] | None = None
    tv: Annotated[float, Field(ge=0, description="weight of total variation, whatever the image size")] | None = None

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


class VisualizeOptions(Options):
    features: Annotated[int, Field(ge=2, description="features of each site and depth, drawn once")]
    depths: Annotated[
        tuple[Literal[tuple(DEPTHS)], ...], Field(min_length=1, description="of the way through the model")
    ]
    sites: Annotated[tuple[Site, ...], Field(min_length=1, description="those of them that a model has")] = SITES
    images: Annotated[int, Field(ge=20, description="natural images to compare with")]
    seeds: Annotated[int, Field(ge=1, description="seeds of each visualization")] = 1
    alone: Annotated[
        tuple[Augmentation, ...], Field(description="augmentations of the recipes to try alone; nothing: none of them")
    ] = ()
    left_out: Annotated[tuple[Part, ...], Field(description="parts of the recipes to leave out in turn")] = ()
    recipes: Annotated[tuple[RecipeOptions, ...], Field(min_length=1, description="ways of visualizing, in turn")]
    ceiling: Annotated[
        float | None,
        Field(
            ge=0.5,
            lt=1,
            description="a site is visualized only where the judge tells its features by natural images: the lower end "
            "of that ceiling, mean over depths, lies above this; left out: every site",
        ),
    ] = None


def settings(experiment: str, scale: Any, name: str) -> dict[str, Any]:
    """``depths``: the model's own where it names some; ``found_in`` and ``k``: in how many images the most activating
    ones are found, if not in the table `top`."""
    collect = scale.options("collect") or CollectOptions()
    depths = scale.models[name].depths or scale.options(experiment).depths
    return {"depths": list(depths), "found_in": collect.images, "k": collect.k}


def reads(scale: Any, name: str) -> list[tuple[str, str]]:
    collected = [("top", name)] if name in scale.taking_part("collect") else []
    return collected + [("embed", judge) for judge in others(scale, name)]


def others(scale: Any, name: str) -> list[str]:
    """The model's judge, where it has one."""
    return [scale.judges[name]] if name in scale.judges else []


def given(session: Any, name: str) -> dict[str, Any]:
    """``top``: the model's rows of that table, or None; ``judge``: a Judge, or None."""
    from vitexplore.visualize.score import Judge

    top = session.table("top", name) if ("top", name) in reads(session.scale, name) else None
    judge = None
    for other in others(session.scale, name):
        embeddings = session.table("embed", other).set_index("image")["embedding"]
        judge = Judge(session.model(other), embeddings)
    return {"top": top, "judge": judge}


def ways(
    make: Callable[..., Recipe], recipes: Iterable[RecipeOptions], left_out: Sequence[str], alone: Sequence[str]
) -> list[tuple[str, Recipe]]:
    """Each recipe, whole, with each augmentation alone and less each part that is left out, with its label. ``make``: a
    recipe of a name and its changes."""
    changes = [recipe.changes() for recipe in recipes]
    return [way for each in changes for way in in_turn(make(**each), left_out, alone, sweep="tv" in each)]


def measure(
    model,
    loader,
    *,
    features: int,
    depths: Sequence[str],
    sites: Sequence[str],
    images: int,
    seeds: int,
    left_out: Sequence[str],
    alone: Sequence[str],
    recipes: Iterable[RecipeOptions],
    ceiling: float | None,
    found_in: int,
    k: int,
    top,
    judge,
    scratch: Path,
) -> list:
    """Visualizations with their scores, and loss curves: see visualize/study.py."""
    import pandas as pd

    from vitexplore.visualize.study import block_sites, draw_features, exemplars, kinds_with_room, study

    found, by = [], ways(partial(recipe_for, spec=model.spec), recipes, left_out, alone)
    at = {depth: block_sites(model, depth, sites) for depth in depths}
    every = list(dict.fromkeys(site for mine in at.values() for site in mine))
    best = exemplars(model, loader.sample(found_in), every, k) if top is None else top
    room = kinds_with_room(every, best, judge, ceiling)
    for depth, mine in at.items():
        wanted = {site: draw_features(model, site, features) for site in mine}
        pair = study(model, loader.sample(images), wanted, room, by, seeds, best, judge, scratch / depth, depth)
        found.append([table.assign(depth=depth) for table in pair])
    return [pd.concat(tables, ignore_index=True) for tables in zip(*found, strict=True)]


def as_named(name: str, **changes: Any) -> Recipe:
    return replace(RECIPES[name], **changes)


def cost(options: VisualizeOptions, family: str) -> Cost:
    site_count = len([site for site in options.sites if (site == "channel") == (family == "cnn")])
    runs = options.features * site_count * options.seeds
    images = sum(way.steps * way.copies for _, way in ways(as_named, options.recipes, options.left_out, options.alone))
    way_in = sum(DEPTHS[depth] for depth in options.depths)
    natural = 2 * options.images  # read by the model and by its judge
    return Cost(runs * images * STEP * way_in + natural, natural)


SCORES = ("site", "block", "feature", "score", "natural", "ratio", "percentile", "dead", "score_other")
SCORES += ("high_frequency", "path_agreement", "identification", "identification_other", "identification_natural")
SCORES += ("ceiling", "ceiling_low", "interpretability", "seed_agreement", "judge")
SCORES += ("kernel_distance", "kernel_distance_natural", "kernel_distance_of_sets")
SCORES += ("transferability", "transferability_other")
SCORES += ("picture", "variant", "recipe", "batch", "depth")
LOSSES = ("site", "block", "variant", "feature", "step", "loss", "depth")


def entry(name: str, **changes: Any) -> Experiment:
    """The experiment on visualizations whose tables are called ``name`` and ``<name>_losses``."""

    def by_name(model, loader, **options: Any) -> dict[str, Any]:
        return dict(zip((name, f"{name}_losses"), measure(model, loader, **options), strict=True))

    return Experiment(
        by_name,
        VisualizeOptions,
        tables={name: SCORES, f"{name}_losses": LOSSES},
        cost=cost,
        scratch=True,
        settings=partial(settings, name),
        reads=reads,
        others=others,
        given=given,
        **changes,
    )


EXPERIMENT = entry("visualize")
