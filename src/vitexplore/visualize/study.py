"""Visualizations of some features of a model's sites, at some depths and by several recipes, and their scores."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import torch

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
from vitexplore.visualize.score import Judge, counterpart, known_table, loss_table, mean_and_low, score_table, told


def study(
    model: Model,
    loader: Loader,
    wanted: Mapping[Site, Sequence[int]],
    room: Collection[str],
    recipes: Sequence[tuple[str, Recipe]],
    seeds: int,
    top: pd.DataFrame,
    judge: Judge | None,
    scratch: Path,
    what: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Visualize the features of each site of ``wanted`` by each of ``recipes`` (label and recipe) with seeds 0, 1, ...:
    a row for each (see `score_table`), with its ``picture`` of seed 0 as PNG, ``variant``, ``recipe`` (as JSON) and
    ``batch``; and the loss curves. Sites of other kinds than ``room`` (see `kinds_with_room`) are not visualized: their
    rows have no picture, NaN scores, and the ceiling. ``loader``: natural images to compare with; ``top``: as `frame`
    writes them. Finished optimizations stay in ``scratch``."""
    drawn = [site for site in wanted if site.kind in room]
    natural, judged = pooled(model, drawn, loader) if drawn else {}, {}
    if judge and drawn:
        by_judge = {site: counterpart(model, site, judge.model) for site in drawn}
        at = pooled(judge.model, list(set(by_judge.values())), loader)
        judged = {site: at[other] for site, other in by_judge.items()}
    total = len(recipes) * seeds * sum(len(wanted[site]) for site in drawn)
    scores, losses = [], []
    with meter(f"{model.spec.name} {what}", total, "features") as tell:
        for site, features in wanted.items():
            mine = of_site(top, site)
            for label, recipe in recipes:
                about = {"variant": label, "recipe": json.dumps(vars(recipe))}
                where = {"site": site.kind, "block": site.block, "variant": label}
                if site not in drawn:
                    scores.append(known_table(site, features, mine, judge).assign(picture=None, **about, batch=0))
                    losses.append(loss_table(features, torch.empty(0, len(features)), **where))
                    continue
                runs = []
                for seed in range(seeds):
                    kept = Checkpoint(scratch / f"{site.kind}_{site.block}_{label}_{seed}", keep=True)
                    runs.append(visualize(model, Channels(site, tuple(features)), recipe, seed, None, kept, tell))
                rows = score_table(model, site, features, runs, loader, natural[site], mine, judge, judged.get(site))
                rows["picture"] = [encode(image) for image in runs[0].images]
                scores.append(rows.assign(**about, batch=runs[0].batch))
                losses.append(loss_table(features, runs[0].loss, **where))
    return pd.concat(scores, ignore_index=True), pd.concat(losses, ignore_index=True)


def kinds_with_room(wanted: Sequence[Site], top: pd.DataFrame, judge: Judge | None, ceiling: float | None) -> set[str]:
    """The kinds of ``wanted`` at which ``judge`` can tell features apart: the lower end of the interval of what
    held-out exemplars reach, mean over the sites of a kind, lies above ``ceiling``. All, without a judge or a ceiling.
    ``top``: as `frame` writes them."""
    kinds = {site.kind for site in wanted}
    if judge is None or ceiling is None:
        return kinds
    lows = {site: mean_and_low(told(judge, of_site(top, site)).numpy())[1] for site in wanted}
    return {kind for kind in kinds if np.mean([low for site, low in lows.items() if site.kind == kind]) > ceiling}


def of_site(top: pd.DataFrame, site: Site) -> pd.DataFrame:
    return top[(top["site"] == site.kind) & (top["block"] == site.block)]


def exemplars(model: Model, loader: Loader, wanted: Sequence[Site], k: int) -> pd.DataFrame:
    """The ``k`` images that activate each feature of ``wanted`` most, in the columns of the table `top`."""
    rankings = collect(model, loader, wanted, min(k, len(loader)))
    return pd.concat([frame(site, ranking) for site, ranking in rankings.items()], ignore_index=True)


def block_sites(model: Model, depth: str, kinds: Sequence[str]) -> list[Site]:
    """Those of ``kinds`` that ``model`` has, at the block that lies ``depth`` (of DEPTHS) of the way in."""
    available = sites(model)
    return [Site(kind, round(DEPTHS[depth] * (available[kind] - 1))) for kind in kinds if kind in available]


def draw_features(model: Model, site: Site, most: int) -> tuple[int, ...]:
    """At most ``most`` of the channels of ``site``, drawn once and for all, sorted. Each site has a draw of its own:
    the same channels at all depths would make an odd draw count once for each of them."""
    rng = np.random.default_rng([site.block, crc32(site.kind.encode())])
    return tuple(sorted(rng.permutation(channels(model, site))[:most].tolist()))
