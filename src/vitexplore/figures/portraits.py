"""All features that tables chose, in pictures: by depth, with what explains them, and by concept, with their images and
captions."""

import textwrap
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.data.images import ImageSet
from vitexplore.figures import plots
from vitexplore.figures.captions import caption_of
from vitexplore.figures.feature_rows import CROSSED_OUT, shown
from vitexplore.figures.tables import best_of, collected_images, looks, winners_of
from vitexplore.graph import Graph
from vitexplore.io import rows_of

FLOATS = "%.4f"
BY_DEPTH = ["block", "feature", "explained_by", "value", "bits", "centroid", "word_1"]
EXAMPLES, WRAP = 6, 16  # images a row, letters of a caption's line
OF_DEPTH = (
    "Above a picture: the factor that the feature tells most of, and the value that its top images share. "
    f"Centroid: the pictures' mean spatial frequency (0 flat, 0.77 white noise). {CROSSED_OUT}"
)
OF_CONCEPTS = (
    "First the picture drawn for the feature (block.feature), then the images that activate it most, with captions. "
    f"AUROC: how well it tells the concept on held-out images (0.5 by chance). {CROSSED_OUT}"
)


def show(graph: Graph) -> dict[Path, Figure | pd.DataFrame]:
    images, found = collected_images(graph), {}
    for model in graph.models("portraits"):
        winners = winners_of(graph, model)
        portraits = rows_of(graph.table("portraits", model), model)
        of = {choice: mine for choice, mine in portraits.groupby("chosen_for")}
        by_depth, coding = (of.get(choice, portraits.iloc[:0]) for choice in ("depth", "concept"))
        title = f"{model}: features of each block that tell most of some factor of the images"
        found[graph.figure(f"depth_{model}")] = plots.picture_rows(depth_rows(by_depth), title, OF_DEPTH)
        found[graph.summary(f"depth_{model}")] = by_depth[BY_DEPTH]
        rows, title = concept_rows(coding, winners, images), f"{model}: the feature that tells each concept best"
        found[graph.figure(f"concepts_{model}")] = plots.picture_rows(rows, title, OF_CONCEPTS)
    return found


def depth_rows(by_depth: pd.DataFrame) -> list[plots.Row]:
    """A row a block, with its pictures' mean centroid: each under what it tells most of and the value that its top
    images share."""
    rows: list[plots.Row] = []
    for block, mine in by_depth.groupby("block"):
        told = [(shown(row.picture, row.dead), f"{row.explained_by}:\n{row.value}") for row in mine.itertuples()]
        rows.append((f"block {block}\ncentroid {mine['centroid'].mean():.2f}", told))
    return rows


def concept_rows(coding: pd.DataFrame, winners: pd.DataFrame, images: ImageSet) -> list[plots.Row]:
    """A row a concept: the visualization of the feature that codes it best, and its most activating images under their
    captions. ``winners``: the model's, best first."""
    rows: list[plots.Row] = []
    for row in coding.itertuples():
        best = best_of(winners, row.block, row.feature, EXAMPLES)
        captions = [textwrap.fill(caption_of(images, winner), WRAP) for winner in best["image"]]
        cells = [(shown(row.picture, row.dead), "drawn"), *zip(looks(best, images), captions, strict=True)]
        rows.append((f"{row.concept}\nfeature {row.block}.{row.feature}\nAUROC {row.held_out:.2f}", cells))
    return rows
