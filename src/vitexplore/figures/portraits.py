"""Features that tables chose, in pictures: by depth, with what explains them (paper Figs. 1 and 6); by concept, with
their images and captions (Figs. 8 and 9); and the one that answers most to the background (Fig. 7)."""

import runpy
import textwrap
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.data.images import ImageSet
from vitexplore.figures import plots
from vitexplore.figures.feature_rows import CROSSED_OUT, is_dead, shown
from vitexplore.figures.overlays import seen, under_maps
from vitexplore.figures.tables import collected_images, maps_of, winners_of
from vitexplore.graph import BACKGROUND, Graph
from vitexplore.io import rows_of

FLOATS = "%.4f"
BY_DEPTH = ["block", "feature", "explained_by", "value", "bits", "centroid", "word_1"]
OF_BACKGROUND = ["site", "block", "feature", "chosen_by", "auroc"]
EXAMPLES, WRAP = 6, 17  # images a row, letters of a caption's line
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
        portraits, winners = rows_of(graph.table("portraits", model), model), winners_of(graph, model)
        of = {choice: mine for choice, mine in portraits.groupby("chosen_for")}
        by_depth, coding = (of.get(choice, portraits.iloc[:0]) for choice in ("depth", "concept"))
        found[graph.figure(f"depth_{model}")] = depth_sheet(model, by_depth)
        found[graph.summary(f"depth_{model}")] = by_depth[BY_DEPTH]
        found[graph.figure(f"concepts_{model}")] = concept_sheet(model, coding, winners, images)
        if model in graph.portrayed(BACKGROUND):
            name = f"{BACKGROUND}_{model}"
            chosen = of["background"].assign(site=winners["site"].iloc[0])
            row = chosen.iloc[0]
            maps = maps_of(graph, model, row["site"], row["block"], row["feature"])
            found[graph.figure(name)] = background_figure(row, winners, maps, images)
            found[graph.summary(name)] = chosen[OF_BACKGROUND]
    return found


def depth_sheet(model: str, by_depth: pd.DataFrame) -> Figure:
    """A row a block, with its pictures' mean centroid: each under what it tells most of and the value that its top
    images share."""
    title = f"{model}: features of each block that tell most of some factor of the images"
    rows: list[plots.Row] = []
    for block, mine in by_depth.groupby("block"):
        drawn = zip(mine.itertuples(), is_dead(mine), strict=True)
        told = [(shown(row.picture, dead), f"{row.explained_by}:\n{row.value}") for row, dead in drawn]
        rows.append((f"block {block}\ncentroid {mine['centroid'].mean():.2f}", told))
    return _sheet(rows, title, OF_DEPTH)


def _sheet(rows: list[plots.Row], title: str, note: str) -> Figure:
    return plots.picture_rows(rows, title, note) if rows else plots.message(f"{title}: there are none")


def concept_sheet(model: str, coding: pd.DataFrame, winners: pd.DataFrame, images: ImageSet) -> Figure:
    """A row a concept: the visualization of the feature that codes it best, and its most activating images under their
    captions. ``winners``: the model's, best first."""
    rows: list[plots.Row] = []
    for row, dead in zip(coding.itertuples(), is_dead(coding), strict=True):
        best = winners[(winners["block"] == row.block) & (winners["feature"] == row.feature)][:EXAMPLES]
        cells = [(shown(row.picture, dead), "drawn")]
        for winner in best.itertuples():
            caption = textwrap.fill(caption_of(images, winner.image), WRAP)
            cells.append((np.asarray(seen(images.image(winner.image), winner.crop)), caption))
        rows.append((f"{row.concept}\nfeature {row.block}.{row.feature}\nAUROC {row.held_out:.2f}", cells))
    return _sheet(rows, f"{model}: the feature that tells each concept best", OF_CONCEPTS)


def background_figure(row: pd.Series, winners: pd.DataFrame, maps: np.ndarray, images: ImageSet) -> Figure:
    """The feature's visualization, then its most activating images under its ``maps`` [k, h, w]."""
    block, feature = row["block"], row["feature"]
    best = winners[(winners["block"] == block) & (winners["feature"] == feature)][:EXAMPLES]
    pictures = under_maps([seen(images.image(each.image), each.crop) for each in best.itertuples()], maps[:EXAMPLES])
    cells = [(shown(row["picture"], row["score"] <= 0), "drawn"), *((picture, "") for picture in pictures)]
    title = f"{row['model']}, {row['site']} {block}.{feature}: the feature that fires most beside the objects"
    note = f"Pink where it fires. AUROC of its maps on the object: {row['auroc']:.2f} (0.5 by chance, 0 always beside)."
    return plots.picture_rows([("", cells)], title, note)


def caption_of(images: ImageSet, index: int) -> str:
    """A scene's caption; of a photograph the name of its class."""
    row = images.table.iloc[index]
    return row["caption"] if "caption" in row else class_names()[row["label"]]


@cache
def class_names() -> Sequence[str]:
    """ImageNet's, from the file in which open_clip keeps them: to import open_clip is to import torch."""
    folder = Path(find_spec("open_clip").origin).parent
    return runpy.run_path(str(folder / "zero_shot_metadata.py"))["IMAGENET_CLASSNAMES"]
