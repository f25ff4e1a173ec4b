"""Pictures of features that tables chose: by depth (paper Figs. 1 and 6), by concept (Figs. 8 and 9), and the one that
answers to the background (Fig. 7); and of other seeds, to see what of a picture is chance."""

from collections.abc import Iterable
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from vitexplore.experiments import Cost, Experiment, Options
from vitexplore.experiments.visualize import STEP, RecipeOptions
from vitexplore.visualize.recipes import RECIPES

CHOICES = {"depth": "features", "concept": "concepts", "background": "localization"}  # and the table that chooses
BY_MODEL = 8 * 8 + 10  # features, about: some of each of 8 to 12 blocks, and one a concept


class PortraitsOptions(Options):
    recipe: RecipeOptions
    seeds: Annotated[int, Field(ge=1, description="seeds of each visualization")] = 1


def models(scale: Any) -> Iterable[str]:
    """Trained models of which `features`, `concepts`, `visualize` and `collect` are all asked: their most activating
    images are shown too."""
    asked = [set(scale.taking_part(name)) for name in ("features", "concepts", "visualize", "collect")]
    return [name for name in set.intersection(*asked) if not scale.models[name].random]


def reads(scale: Any, name: str) -> list[tuple[str, str]]:
    localized = name in scale.taking_part("localization") and scale.models[name].family == "vit"
    return [(table, name) for choice, table in CHOICES.items() if choice != "background" or localized]


def given(session: Any, name: str) -> dict[str, Any]:
    """The model's rows of the tables that choose, by name."""
    return {"tables": {table: session.table(table, model) for table, model in reads(session.scale, name)}}


def measure(
    model, loader, *, recipe: RecipeOptions, seeds: int, tables: dict[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """``portraits``: a row for each choice and feature, with its ``picture`` as PNG, that picture's spectral
    ``centroid``, the feature's clean activation there, ``score``, and whether it is ``dead``, silent there; of seed 0.
    ``reseeded``: a row for each feature and further one of ``seeds``, its number as ``picture_seed``."""
    from vitexplore.measures.chosen import explained_best, found_best, of_background
    from vitexplore.models.sites import Site
    from vitexplore.png import encode
    from vitexplore.progress import meter
    from vitexplore.visualize.objective import Channels
    from vitexplore.visualize.optimize import visualize
    from vitexplore.visualize.quality import spectral_centroid
    from vitexplore.visualize.recipes import recipe_for
    from vitexplore.visualize.score import silent

    choose = {"depth": explained_best, "concept": found_best, "background": of_background}
    asked = {name: tables[table] for name, table in CHOICES.items() if table in tables}
    chosen = [choose[name](table).assign(chosen_for=name) for name, table in asked.items()]
    rows = pd.concat(chosen, ignore_index=True).reindex(columns=PORTRAITS[: -len(PICTURE)])
    way, drawn = recipe_for(spec=model.spec, **recipe.changes()), []
    by_block = rows.groupby("block")["feature"].unique()
    with meter(model.spec.name, seeds * by_block.map(len).sum(), "features") as tell:
        for seed in range(seeds):
            for block, mine in by_block.items():
                features = tuple(sorted(mine.tolist()))
                site = Site(model.feature_site, int(block))
                found = visualize(model, Channels(site, features), way, seed, report=tell)
                told = pd.DataFrame({"block": site.block, "feature": features, "picture_seed": seed})
                told["centroid"] = [float(spectral_centroid(image[None])) for image in found.images]
                told["score"] = found.score.tolist()
                told["dead"] = silent(site, found.score).tolist()
                told["picture"] = [encode(image) for image in found.images]
                drawn.append(told)
    every = pd.concat(drawn, ignore_index=True) if drawn else pd.DataFrame(columns=DRAWN)
    first = every["picture_seed"] == 0
    portraits = rows.merge(every[first].drop(columns="picture_seed"), on=["block", "feature"], how="left")
    return {"portraits": portraits, "reseeded": every[~first].reset_index(drop=True)}


def cost(options: PortraitsOptions, family: str) -> Cost:
    own = RECIPES[options.recipe.name]
    steps = (options.recipe.steps or own.steps) * (options.recipe.copies or own.copies)
    return Cost(BY_MODEL * steps * options.seeds * STEP / 2, 0)  # half of the blocks, in the mean


PICTURE = ("centroid", "score", "dead", "picture")
DRAWN = ("block", "feature", "picture_seed", *PICTURE)
PORTRAITS = ("chosen_for", "block", "feature", "explained_by", "value", "bits", "word_1", "concept", "held_out")
PORTRAITS += ("chosen_by", "auroc", *PICTURE)

EXPERIMENT = Experiment(
    measure,
    PortraitsOptions,
    tables={"portraits": PORTRAITS, "reseeded": DRAWN},
    cost=cost,
    models=models,
    reads=reads,
    given=given,
)
