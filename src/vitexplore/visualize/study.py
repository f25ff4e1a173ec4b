"""Visualizations of some features of a model's sites, at some depths and by several recipes, and their scores."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vitexplore.activations.collect import collect, frame
from vitexplore.activations.pooled import pooled
from vitexplore.data.loading import Loader
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, channels, sites
from vitexplore.png import encode
from vitexplore.progress import meter
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import Checkpoint, visualize
from vitexplore.visualize.recipes import DEPTHS, Recipe
from vitexplore.visualize.score import Judge, counterpart, loss_table, score_table


def study(
    model: Model,
    loader: Loader,
    wanted: Mapping[Site, Sequence[int]],
    recipes: Sequence[tuple[str, Recipe]],
    seeds: int,
    top: pd.DataFrame,
    judge: Judge | None,
    scratch: Path,
    what: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Visualize the features of each site of ``wanted`` by each of ``recipes`` (label and recipe) with seeds 0, 1, ...:
    a row for each (see `score_table`), with its ``picture`` of seed 0 as PNG, ``variant``, ``recipe`` (as JSON) and
    ``batch``; and the loss curves. ``loader``: natural images to compare with; ``top``: as `frame` writes them.
    Finished optimizations stay in ``scratch``."""
    natural, judged = pooled(model, list(wanted), loader), {}
    if judge:
        by_judge = {site: counterpart(model, site, judge.model) for site in wanted}
        at = pooled(judge.model, list(set(by_judge.values())), loader)
        judged = {site: at[other] for site, other in by_judge.items()}
    total = len(recipes) * seeds * sum(len(features) for features in wanted.values())
    scores, losses = [], []
    with meter(f"{model.spec.name} {what}", total, "features") as tell:
        for site, features in wanted.items():
            mine = top[(top["site"] == site.kind) & (top["block"] == site.block)]
            for label, recipe in recipes:
                runs = []
                for seed in range(seeds):
                    kept = Checkpoint(scratch / f"{site.kind}_{site.block}_{label}_{seed}", keep=True)
                    runs.append(visualize(model, Channels(site, tuple(features)), recipe, seed, None, kept, tell))
                rows = score_table(model, site, features, runs, loader, natural[site], mine, judge, judged.get(site))
                rows["picture"] = [encode(image) for image in runs[0].images]
                scores.append(rows.assign(variant=label, recipe=json.dumps(vars(recipe)), batch=runs[0].batch))
                losses.append(loss_table(features, runs[0], site=site.kind, block=site.block, variant=label))
    return pd.concat(scores, ignore_index=True), pd.concat(losses, ignore_index=True)


def exemplars(model: Model, loader: Loader, wanted: Sequence[Site], k: int) -> pd.DataFrame:
    """The ``k`` images that activate each feature of ``wanted`` most, in the columns of the table `top`."""
    rankings = collect(model, loader, wanted, min(k, len(loader)))
    return pd.concat([frame(site, ranking) for site, ranking in rankings.items()], ignore_index=True)


def block_sites(model: Model, depth: str, kinds: Sequence[str]) -> list[Site]:
    """Those of ``kinds`` that ``model`` has, at the block that lies ``depth`` (of DEPTHS) of the way in."""
    available = sites(model)
    return [Site(kind, round(DEPTHS[depth] * (available[kind] - 1))) for kind in kinds if kind in available]


def draw_features(model: Model, site: Site, most: int) -> tuple[int, ...]:
    """At most ``most`` of the channels of ``site``, drawn once and for all, sorted."""
    return tuple(sorted(np.random.default_rng(0).permutation(channels(model, site))[:most].tolist()))
