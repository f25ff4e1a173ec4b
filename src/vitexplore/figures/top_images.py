"""Features' most activating images, each with the feature's map over it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.data.images import ImageSet
from vitexplore.figures import overlays, plots
from vitexplore.figures.tables import best_of, collected_images, looks, maps_of, winners_of
from vitexplore.graph import Graph

SHOWN = 5  # images a feature; one feature of each of some blocks


def show(graph: Graph) -> dict[Path, Figure]:
    images, found = collected_images(graph), {}
    for model in graph.top_images_models():
        maps = partial(maps_of, graph, model)
        found[graph.figure(f"top_images_{model}")] = draw(images, winners_of(graph, model), maps)
    return found


def draw(images: ImageSet, winners: pd.DataFrame, maps: Callable[[str, int], np.ndarray]) -> Figure:
    """Rows: the first feature of up to six blocks, evenly spread; columns: its best images, map laid over. ``winners``:
    one model's, best first; ``maps``: of a site and block."""
    site, rows = winners["site"].iloc[0], []
    for block in np.unique(np.linspace(0, winners["block"].max(), 6).round().astype(int)):
        shown = looks(best_of(winners, block, 0, SHOWN), images)
        best = overlays.under_maps(shown, maps(site, block)[0, :SHOWN])
        rows.append((f"{site} {block}.0", [(picture, "") for picture in best]))
    title = f"{winners['model'].iloc[0]}: one feature of some blocks (block.feature)"
    return plots.picture_rows(rows, title, overlays.HOW_TO_READ)
