"""Pictures of features that tables chose: by depth (paper Figs. 1 and 6), by concept (Figs. 8 and 9), and the one that
answers to the background (Fig. 7)."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from vitexplore.experiments import Cost, Experiment, Options
from vitexplore.experiments.visualize import STEP, RecipeOptions
from vitexplore.visualize.recipes import RECIPES

CHOICES = {"depth": "features", "concept": "concepts", "background": "localization"}  # and the table that chooses
BY_MODEL = 8 * 8 + 10  # features, about: some of each of 8 to 12 blocks, and one a concept


class PortraitsOptions(Options):
    recipe: RecipeOptions


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


def measure(model, loader, *, recipe: RecipeOptions, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row for each choice and feature, with its ``picture`` as PNG, that picture's spectral ``centroid``, the
    feature's clean activation there, ``score``, and whether it is ``dead``, silent there."""
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
    rows = pd.concat(chosen, ignore_index=True).reindex(columns=PORTRAITS[:-4])
    way, pictures = recipe_for(spec=model.spec, **recipe.changes()), {}
    with meter(model.spec.name, len(rows.groupby(["block", "feature"])), "features") as tell:
        for block, mine in rows.groupby("block")["feature"]:
            features = tuple(sorted(mine.unique().tolist()))
            site = Site(model.feature_site, int(block))
            found = visualize(model, Channels(site, features), way, report=tell)
            dead = silent(site, found.score).tolist()
            kept = zip(features, found.images, found.score.tolist(), dead, strict=True)
            pictures |= {(block, feature): (image, *numbers) for feature, image, *numbers in kept}
    drawn = [pictures[key] for key in zip(rows["block"], rows["feature"], strict=True)]
    return rows.assign(
        centroid=[float(spectral_centroid(image[None])) for image, *_ in drawn],
        score=[score for _, score, _ in drawn],
        dead=[dead for *_, dead in drawn],
        picture=[encode(image) for image, *_ in drawn],
    )


def cost(options: PortraitsOptions, family: str) -> Cost:
    own = RECIPES[options.recipe.name]
    steps = (options.recipe.steps or own.steps) * (options.recipe.copies or own.copies)
    return Cost(BY_MODEL * steps * STEP / 2, 0)  # half of the blocks, in the mean


PORTRAITS = ("chosen_for", "block", "feature", "explained_by", "value", "bits", "word_1", "concept", "held_out")
PORTRAITS += ("chosen_by", "auroc", "centroid", "score", "dead", "picture")

EXPERIMENT = Experiment(
    measure,
    PortraitsOptions,
    tables={"portraits": PORTRAITS},
    cost=cost,
    models=models,
    reads=reads,
    given=given,
)
