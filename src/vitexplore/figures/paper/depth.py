"""Figs. 1 and 6: visualized features from the first block to the last, each beside the image that activates it most."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.figures.captions import caption_of
from vitexplore.figures.paper.features import Features, by_family, evenly
from vitexplore.figures.paper.layout import GAP, Tile, rows_of_tiles
from vitexplore.figures.paper.tiles import Missing, Tiles
from vitexplore.figures.style import NAMES
from vitexplore.graph import Graph

ROWS, ON_FRONT = 6, 4  # depths, of Fig. 1 and of the front picture
PAIRS = 6  # visualizations with their images beside each other
LETTERS = 19  # over a pair
ENDS = {0: "first\nblock", 1: "last\nblock"}  # depths
OF_PAIRS = (
    "In each pair a visualization, then the image that activates the feature most. Rows: how deep in the network."
)
BY_BITS = "the features that tell most of a factor of the images (class, colour, ...), and what their top images share"
BY_DRAW = "the first features of a random choice, above each the class of its top image"


def data(graph: Graph) -> Tiles:
    """Rows: family, model, depth (0 for the first block, 1 for the last), block, feature, column, kind (drawn or
    image), value, rule."""
    found = {family: mine for family, mine in by_family(graph).items() if len(mine.drawn)}
    if not found:
        raise Missing("no feature of this scale fires at its visualization")
    first = next(iter(found.values()))
    depths = _depths(first)
    cells = []
    for family, mine in found.items():
        last = mine.winners["block"].max()
        blocks = np.sort(mine.drawn["block"].unique())
        for depth in evenly(depths, ROWS):
            block = int(blocks[np.abs(blocks / last - depth).argmin()])
            told = best_of_each_factor(mine.drawn[mine.drawn["block"] == block]).head(PAIRS // len(found))
            for column, row in enumerate(told.itertuples()):
                known = {"family": family, "model": mine.model, "depth": depth, "block": block, "feature": row.feature}
                cells += _pair(mine, {**known, "column": column, "value": row.value})
    return Tiles.of(cells, first.side)


def _depths(mine: Features) -> np.ndarray:
    return np.sort(mine.drawn["block"].unique()) / mine.winners["block"].max()


def best_of_each_factor(drawn: pd.DataFrame) -> pd.DataFrame:
    """One block's features, the best of each factor before the second best, where factors are known."""
    if "explained_by" not in drawn:
        return drawn
    return drawn.loc[drawn.groupby("explained_by").cumcount().sort_values(kind="stable").index]


def _pair(mine: Features, known: dict[str, Any]) -> list[tuple[dict[str, Any], np.ndarray]]:
    """A feature's visualization and its most activating image."""
    block, feature = known["block"], known["feature"]
    best = mine.best(block, feature, 1)
    known |= {"rule": BY_BITS if known["value"] else BY_DRAW}
    known["value"] = known["value"] or caption_of(mine.images, best["image"].iloc[0])
    (image,) = mine.looks(best)
    return [({**known, "kind": "drawn"}, mine.picture(block, feature)), ({**known, "kind": "image"}, image)]


def draw(tiles: Tiles) -> Figure:
    table = tiles.table
    families = ", ".join(NAMES[family] for family in table["family"].unique())
    title = f"What features look for, by depth: {families}"
    note = f"{OF_PAIRS} Shown: {'; '.join(table['rule'].unique())}."
    heads = {(0, x): head for x, head in starts(table).items()}
    return rows_of_tiles(*placed(tiles), title, note, heads)


def draw_front(each: Sequence[Tiles]) -> Figure:
    """The networks of several scales, one scale above the other, each at ON_FRONT depths."""
    found, labels, heads = [], [], {}
    for tiles in map(_thinned, each):
        heads |= {(len(labels), x): head for x, head in starts(tiles.table).items()}
        mine, named = placed(tiles, len(labels))
        found, labels = found + mine, labels + named
    return rows_of_tiles(found, labels, "What features of vision networks look for, by depth", OF_PAIRS, heads)


def _thinned(tiles: Tiles) -> Tiles:
    kept = tiles.table["depth"].isin(evenly(np.sort(tiles.table["depth"].unique()), ON_FRONT))
    return Tiles(tiles.table[kept], tiles.pictures[kept])


def placed(tiles: Tiles, first: int = 0) -> tuple[list[Tile], list[str]]:
    """The tiles in rows from ``first``, one a depth, a group of columns for each model; and the rows' labels."""
    table = tiles.table
    depths = sorted(table["depth"].unique())
    where = dict(zip(table["model"].unique(), starts(table), strict=True))
    found = []
    for row, picture in tiles:
        x = where[row.model] + row.column * (2 + GAP / 2) + (row.kind == "image")
        caption = textwrap.shorten(row.value, LETTERS, placeholder="…") if row.kind == "drawn" else ""
        found.append(Tile(first + depths.index(row.depth), x, picture, caption))
    return found, [ENDS.get(depth, f"{100 * depth:.0f}%") for depth in depths]


def starts(table: pd.DataFrame) -> dict[float, str]:
    """Each model by the ``x`` at which its columns begin."""
    found, x = {}, 0.0
    for model, mine in table.groupby("model", sort=False):
        found[x] = f"{NAMES[mine['family'].iloc[0]]} ({model})"
        x += (mine["column"].max() + 1) * (2 + GAP / 2) + GAP
    return found
