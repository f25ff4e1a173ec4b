"""Count the features of real networks that recipe `fast` does not reach.

A feature is alive where its picture activates it more than the best of the photographs does. One that is not is tried
with other seeds; where none helps, it is called dead.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vitexplore.activations.pooled import pooled
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader
from vitexplore.graph import Graph
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site
from vitexplore.progress import meter
from vitexplore.threads import use_threads
from vitexplore.tools.benching import loaded, reached, write_bench
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import Report, visualize
from vitexplore.visualize.recipes import recipe_for
from vitexplore.visualize.study import draw_features

BLOCKS = {"vit_s_focus": (2, 6, 10), "efficientnet_lite0": (4, 9, 14)}
FEATURES = 64
SEEDS = 4  # tried in turn, until one wakes the feature
COLUMNS = ["model", "block", "feature", "clean", "best_natural", "alive", "seeds", "highest", "dead"]
BAR = 0.95  # of the features of a block, at the first seed


def bench(graph: Graph, threads: int, out: Path, bars: Path) -> None:
    """Write two CSV files. ``out`` has a row for each feature: model, block, feature, its ``clean`` activation at the
    first seed, the photographs' best, ``best_natural``, whether it is ``alive`` by these two, the ``seeds`` tried, the
    ``highest`` of their activations, ``dead``. ``bars`` has the share of features that are alive in each block."""
    use_threads(threads)
    loader = Loader(ImageSet.read(graph.image_index("collect").parent))
    parts = []
    with meter("alive", FEATURES * sum(map(len, BLOCKS.values())), "features") as tell:
        for name, blocks in BLOCKS.items():
            model = loaded(graph, name)
            sites = [Site(model.feature_site, block) for block in blocks]
            natural = pooled(model, sites, loader)
            for site in sites:
                features = draw_features(model, site, FEATURES)
                best = natural[site].amax(0)[list(features)].tolist()
                parts.append(rows(model, site, features, best, tell))
    table = pd.concat(parts, ignore_index=True)
    share = table.groupby(["model", "block"], sort=False)["alive"].mean()
    wanted = [
        (f"{model}, block {block}: share of features alive", BAR, found) for (model, block), found in share.items()
    ]
    write_bench(table, out, reached(wanted), bars)


def rows(model: Model, site: Site, features: Sequence[int], best: Sequence[float], tell: Report) -> pd.DataFrame:
    """``best``: the natural activation that each of ``features`` must exceed."""
    recipe = recipe_for("fast", model.spec)
    table = pd.DataFrame({"feature": features, "best_natural": best})
    table["clean"] = visualize(model, Channels(site, tuple(features)), recipe, report=tell).score.numpy()
    table["alive"] = table["clean"] > table["best_natural"]
    table["seeds"], table["highest"], silent = 1, table["clean"], ~table["alive"]
    for seed in range(1, SEEDS):
        if not silent.any():
            break
        labels = tuple(table.loc[silent, "feature"].tolist())
        found = visualize(model, Channels(site, labels), recipe, seed).score.numpy()
        table.loc[silent, "highest"] = np.maximum(table.loc[silent, "highest"], found)
        table.loc[silent, "seeds"] = seed + 1
        silent &= table["highest"] <= table["best_natural"]
    return table.assign(model=model.spec.name, block=site.block, dead=silent)[COLUMNS]
