"""Figs. 8 and 9: CLIP's features for what captions say, and for categories that join classes."""

from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from vitexplore.figures.feature_rows import CROSSED_OUT, shown
from vitexplore.figures.paper.features import by_family
from vitexplore.figures.paper.layout import Tile, across, rows_of_tiles
from vitexplore.figures.paper.networks import of_claim
from vitexplore.figures.paper.tiles import Missing, Tiles
from vitexplore.graph import Graph
from vitexplore.io import rows_of

IMAGES, BESIDE = 4, 2  # of a concept; concepts beside each other
MOST = 10  # concepts
OF_KIND = {"caption": "what captions say and labels do not", "category": "categories that join classes"}


def data(kind: str, graph: Graph) -> Tiles:
    """Of the best told concepts of ``kind`` (caption or category). Rows: model, label_model, concepts (of this kind,
    all), concept, block, feature, auroc (of the feature, on images that had no part in its choice), auroc_label (of the
    label model's best feature), auroc_pixels (of the best pixel statistic), kind (drawn or image), rank."""
    found = by_family(graph, ["portraits"]) if graph.models("portraits") else {}
    if "clip" not in found:
        raise Missing("this scale has no CLIP; run the scale `lab` or `paper`")
    mine, label = found["clip"], found["vit"].model if "vit" in found else ""
    table = of_claim(graph, "language_concepts")
    means = table[table["kind"] == kind].set_index(["model", "concept"])[["held_out", "pixel_held_out"]]
    if means.empty:
        raise Missing(f"no concept of this scale's images is known of the kind {kind}")
    portraits = rows_of(graph.table("portraits", mine.model), mine.model)
    of_kind = means.loc[mine.model]
    portraits = portraits[(portraits["chosen_for"] == "concept") & portraits["concept"].isin(of_kind.index)]
    cells: list[tuple[dict[str, Any], np.ndarray]] = []
    for row in (
        portraits.assign(auroc=portraits["concept"].map(of_kind["held_out"]))
        .sort_values("auroc", ascending=False, kind="stable")
        .head(MOST)
        .itertuples()
    ):
        own = of_kind.loc[row.concept]
        known = {"model": mine.model, "label_model": label, "concept": row.concept, "block": int(row.block)}
        known |= {"concepts": len(of_kind)}
        known |= {"feature": int(row.feature), "auroc": own["held_out"], "auroc_pixels": own["pixel_held_out"]}
        known["auroc_label"] = means["held_out"].get((label, row.concept), np.nan)
        cells.append(({**known, "kind": "drawn", "rank": 0}, shown(row.picture, row.dead)))
        for rank, image in enumerate(mine.looks(mine.best(known["block"], known["feature"], IMAGES))):
            cells.append(({**known, "kind": "image", "rank": rank}, image))
    return Tiles.of(cells, mine.side)


captions, categories = partial(data, "caption"), partial(data, "category")


def draw(kind: str, tiles: Tiles) -> Figure:
    table = tiles.table
    concepts = list(table["concept"].unique())
    xs = across((1 + IMAGES) * BESIDE, 1 + IMAGES)
    placed = []
    for row, picture in tiles:
        number = concepts.index(row.concept)
        x = xs[(1 + IMAGES) * (number % BESIDE) + (0 if row.kind == "drawn" else 1 + row.rank)]
        placed.append(Tile(number // BESIDE, x, picture, _scores(row) if row.kind == "drawn" else ""))
    title = f"CLIP's features for {OF_KIND[kind]}"
    first = table.iloc[0]
    chosen = "" if len(concepts) == first["concepts"] else f" The {len(concepts)} best told of {first['concepts']}."
    note = (
        f"Of {first['model']} the feature that is found to tell each concept best: its visualization, then the images "
        "that activate it most. AUROC: how well it tells the concept on other images (0.5 by chance), beside the best "
        f"feature of {first['label_model']}, which was trained on labels, and the best statistic of pixels. "
        f"{CROSSED_OUT}{chosen}"
    )
    return rows_of_tiles(placed, [""] * (-(-len(concepts) // BESIDE)), title, note)


draw_captions, draw_categories = partial(draw, "caption"), partial(draw, "category")


def _scores(row: Any) -> str:
    """Two lines: the concept and its feature, and how well it is told."""
    numbers = f"AUROC {row.auroc:.2f} ({row.label_model} {row.auroc_label:.2f}, pixels {row.auroc_pixels:.2f})"
    return f"{row.concept} (feature {row.block}.{row.feature})\n{numbers}"
