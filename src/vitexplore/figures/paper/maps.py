"""Figs. 2, 4 and 7: where features fire in the images that activate them most."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from vitexplore.figures.overlays import grey, seen
from vitexplore.figures.paper.features import Features, evenly, vit_of
from vitexplore.figures.paper.layout import Tile, across, rows_of_tiles
from vitexplore.figures.paper.networks import of_claim
from vitexplore.figures.paper.tiles import Missing, Tiles
from vitexplore.graph import Graph
from vitexplore.io import rows_of
from vitexplore.measures.chosen import of_background

Cells = list[tuple[dict[str, Any], np.ndarray]]
IMAGES = 3  # of a feature in Figs. 2 and 4
CLASSES = 4  # in Fig. 4
OF_BACKGROUND = 6  # images in Fig. 7
MAPS = "Maps are white where the feature fires most and black where it does not."


def spread_data(graph: Graph) -> Tiles:
    """Fig. 2. Rows: model, place (inner, last, or most uniform), block, feature, spread (see ``spreads``), block_spread
    (the median over the block's features), kind (drawn, image or map), rank."""
    mine = vit_of(graph)
    last = int(mine.winners["block"].max())
    blocks = mine.drawn["block"] if len(mine.drawn) else mine.winners["block"]
    inner = int(min(blocks.unique(), key=lambda block: abs(block / last - 0.5)))
    cells: Cells = []
    for place, block in (("inner", inner), ("last", last), ("most uniform", last)):
        spread = spreads(mine.maps(block))
        if spread.empty:
            raise Missing(f"no feature of block {block} fires in all of its top images")
        drawn = spread.index.intersection(mine.drawn.loc[mine.drawn["block"] == block, "feature"])
        wanted = 0 if place == "most uniform" else spread.median()
        feature = int((spread[drawn if len(drawn) else spread.index] - wanted).abs().idxmin())
        row = {"model": mine.model, "place": place, "block": block, "feature": feature}
        row |= {"spread": float(spread[feature]), "block_spread": float(spread.median())}
        cells += _feature(mine, row, IMAGES)
    return Tiles.of(cells, mine.side)


def spreads(maps_fkhw: np.ndarray) -> pd.Series:
    """How much each feature's map varies over an image: the standard deviation over its patches by their mean, mean
    over its top images; 0 for a flat map. By feature, those alone that fire in all of these images."""
    flat = maps_fkhw.reshape(*maps_fkhw.shape[:2], -1)
    means = flat.mean(2)
    fires = np.flatnonzero((means > 0).all(1))
    return pd.Series((flat[fires].std(2) / means[fires]).mean(1), index=fires)


def _feature(mine: Features, row: dict[str, Any], images: int) -> Cells:
    """Its visualization, where there is one, then its top images, each with the map."""
    block, feature = row["block"], row["feature"]
    picture = mine.picture(block, feature)
    cells = [] if picture is None else [({**row, "kind": "drawn", "rank": 0}, picture)]
    return cells + _images(mine, row, mine.best(block, feature, len(mine.winners)), images)


def _images(mine: Features, row: dict[str, Any], best: pd.DataFrame, images: int) -> Cells:
    """The first ``images`` of ``best``, a feature's rows of the table `top`, each with the map."""
    maps = mine.maps(row["block"])[row["feature"]]
    if row.get("sign") == -1:
        maps = maps.max() - maps
    cells: Cells = []
    for rank, image in zip(best["rank"][:images], mine.looks(best[:images]), strict=True):
        for kind, picture in (("image", image), ("map", grey(maps[rank], float(maps.max())))):
            cells.append(({**row, "kind": kind, "rank": rank}, picture))
    return cells


def spread_draw(tiles: Tiles) -> Figure:
    table = tiles.table
    places = {
        "inner": "a) inner block,\ntypical",
        "last": "b) last block,\ntypical",
        "most uniform": "b) last block,\nmost uniform",
    }
    xs = [0, *(1.25 + x for x in across(2 * IMAGES, 2))]
    labels = []
    for place, mine in table.groupby("place", sort=False):
        row = mine.iloc[0]
        labels.append(f"{places[place]}\nblock {row['block']}\nmap ±{100 * row['spread']:.0f}%")
    medians = table.drop_duplicates("block")
    typical = ", ".join(f"±{100 * row.block_spread:.0f}% in block {row.block}" for row in medians.itertuples())
    title = f"Where features of an inner and of the last block fire ({table['model'].iloc[0]})"
    note = (
        f"A feature's visualization, where there is one, then top images, each with its map. {MAPS} ±: the map's "
        f"standard deviation over the image, of its mean; median over features {typical}. Typical: nearest to that."
    )
    return rows_of_tiles(_with_maps(tiles, list(table["place"].unique()), "place", xs), labels, title, note)


def _with_maps(tiles: Tiles, rows: Sequence[Any], by: str, xs: Sequence[float]) -> list[Tile]:
    """``xs``: of the visualization, then of images and maps in turn."""
    placed, count = [], {}
    for row, picture in tiles:
        line = rows.index(getattr(row, by))
        count.setdefault(line, 0)
        if row.kind != "drawn":
            count[line] += 1
        placed.append(Tile(line, xs[count[line]], picture))
    return placed


def object_data(graph: Graph) -> Tiles:
    """Fig. 4. Rows: model, shape (a class of objects), block, feature and sign (the class's map, of all inner blocks),
    auroc (of its maps against the class's objects, on images that had no part in its choice), pixels (the same of the
    best map that needs no network), kind (image, object or map), rank. Classes from the best told to the worst."""
    mine = vit_of(graph, ["localization"])
    table = of_claim(graph, "maps_localize").query("model == @mine.model").sort_values("auroc", ascending=False)
    cells: Cells = []
    for place in evenly(np.arange(len(table)), CLASSES):
        chosen = table.iloc[place]
        row = {"model": mine.model, "shape": chosen["class"], "auroc": chosen["auroc"], "pixels": chosen["pixels"]}
        row |= {"block": int(chosen["block"]), "feature": int(chosen["feature"]), "sign": int(chosen["sign"])}
        winners = mine.best(row["block"], row["feature"], len(mine.winners))
        boxed = winners[mine.images.has_boxes[winners["image"]]]
        for image, found in zip(boxed["image"], _by_two(_images(mine, row, boxed, IMAGES)), strict=False):
            mask = Image.fromarray(mine.images.mask(image).astype(np.uint8) * 255).convert("RGB")
            outline = ({**found[0][0], "kind": "object"}, seen(mask, boxed["crop"].iloc[0], mine.side))
            cells += [found[0], outline, found[1]]
    if not cells:
        raise Missing("the images that activate features most have no objects' places")
    return Tiles.of(cells, mine.side)


def _by_two(cells: Cells) -> list[Cells]:
    return [cells[first : first + 2] for first in range(0, len(cells), 2)]


def object_draw(tiles: Tiles) -> Figure:
    table = tiles.table
    shapes = list(table["shape"].unique())
    xs = across(3 * IMAGES, 3)
    placed, count = [], {}
    for row, picture in tiles:
        place = count[row.shape] = count.get(row.shape, -1) + 1
        placed.append(Tile(shapes.index(row.shape), xs[place], picture))
    minus = {1: "", -1: "−"}
    labels = [
        f"{row.shape}\n{minus[row.sign]}{row.block}.{row.feature}\n{row.auroc:.2f} (pixels {row.pixels:.2f})"
        for row in table.drop_duplicates("shape").itertuples()
    ]
    title = f"Maps of inner features beside the object that they should find ({table['model'].iloc[0]})"
    note = (
        "For each class the feature whose maps find its objects best on half of its images (−: its map is inverted), "
        f"in the images that drive it most. {MAPS} Numbers: AUROC on the class's other images (0.5 by chance), and "
        "that of the best map of pixels. Classes from the best told to the worst."
    )
    heads = {(0, x): "image, object, map" for x in xs[::3]}
    return rows_of_tiles(placed, labels, title, note, heads)


def background_data(graph: Graph) -> Tiles:
    """Fig. 7. Rows: model, block, feature, auroc (of its maps against the objects, on images that had no part in the
    choice), kind (drawn, image or map), rank."""
    mine = vit_of(graph, ["localization"])
    firing = mine.firing(rows_of(graph.table("localization", mine.model), mine.model), OF_BACKGROUND)
    if firing.empty:
        raise Missing(f"no feature of {mine.model} fires in {OF_BACKGROUND} images")
    chosen = of_background(firing).iloc[0]
    row = {"model": mine.model, "block": int(chosen["block"]), "feature": int(chosen["feature"])}
    row |= {"auroc": chosen["auroc"]}
    picture = mine.picture(row["block"], row["feature"])
    visualized = [] if picture is None else [({**row, "kind": "drawn", "rank": 0}, picture)]
    images = _images(mine, row, mine.best(row["block"], row["feature"], OF_BACKGROUND), OF_BACKGROUND)
    return Tiles.of([*visualized, *images], mine.side)


def background_draw(tiles: Tiles) -> Figure:
    row = tiles.table.iloc[0]
    has_drawn = tiles.table["kind"].eq("drawn").any()
    first = 1.25 if has_drawn else 0
    lines = {"drawn": 0, "image": 0, "map": 1}
    ranks = {rank: place for place, rank in enumerate(sorted(tiles.table.loc[tiles.table["kind"] == "map", "rank"]))}
    placed = [
        Tile(lines[each.kind], 0 if each.kind == "drawn" else first + ranks[each.rank], picture)
        for each, picture in tiles
    ]
    title = f"A feature that fires beside the objects ({row['model']}, feature {row['block']}.{row['feature']})"
    start = "Its visualization, then its top images over its maps." if has_drawn else "Its top images over its maps."
    note = (
        f"Of the features that fire, the one whose maps avoid the objects most on half of the images. {start} {MAPS} "
        f"AUROC of its maps on the objects, other half: {row['auroc']:.2f} (0.5 by chance, 0 always beside them)."
    )
    return rows_of_tiles(placed, ["images", "maps"], title, note)
