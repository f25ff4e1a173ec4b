"""Features that tables chose, in pictures: by depth, with what explains them (paper Figs. 1 and 6); by concept, with
their images and captions (Figs. 8 and 9); and the one that answers most to the background (Fig. 7)."""

import io
import runpy
import textwrap
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from vitexplore.data.images import ImageSet
from vitexplore.figures import plots
from vitexplore.figures.tables import collected_images, maps_of, winners_of
from vitexplore.graph import BACKGROUND, Graph
from vitexplore.io import rows_of
from vitexplore.png import decode

FLOATS = "%.4f"
BY_DEPTH = ["block", "feature", "explained_by", "value", "bits", "centroid", "word_1"]
OF_BACKGROUND = ["site", "block", "feature", "chosen_by", "auroc"]
WRAP = 18  # letters of a caption's line


def show(graph: Graph) -> dict[Path, Figure | pd.DataFrame]:
    images, found = collected_images(graph), {}
    for model in graph.models("portraits"):
        portraits, winners = rows_of(graph.table("portraits", model), model), winners_of(graph, model)
        of = {choice: mine for choice, mine in portraits.groupby("chosen_for")}
        by_depth, coding = (of.get(choice, portraits.iloc[:0]) for choice in ("depth", "concept"))
        title = "features by depth, and what they tell most of"
        found[graph.figure(f"depth_{model}")] = sheet(depth_rows(by_depth), f"{model}: {title}")
        found[graph.summary(f"depth_{model}")] = by_depth[BY_DEPTH]
        title = "the features that fire most for each concept, their visualizations and most activating images"
        rows = concept_rows(coding, winners, images)
        found[graph.figure(f"concepts_{model}")] = sheet(rows, f"{model}: {title}")
        if model in graph.portrayed(BACKGROUND):
            name = f"{BACKGROUND}_{model}"
            chosen = of["background"].assign(site=winners["site"].iloc[0])
            row = chosen.iloc[0]
            maps = maps_of(graph, model, row["site"], row["block"], row["feature"])
            found[graph.figure(name)] = background_figure(row, winners, maps, images)
            found[graph.summary(name)] = chosen[OF_BACKGROUND]
    return found


def sheet(rows: list[tuple[str, list[bytes], list[str]]], title: str) -> Figure:
    return plots.picture_rows(rows, title) if rows else plots.message(f"{title}: there are none")


def depth_rows(by_depth: pd.DataFrame) -> list[tuple[str, list[bytes], list[str]]]:
    """A row a block, with its pictures' mean centroid: each under what it tells most of and the value that its top
    images share."""
    rows = []
    for block, mine in by_depth.groupby("block"):
        label = f"block {block}\ncentroid {mine['centroid'].mean():.2f}"
        told = zip(mine["explained_by"], mine["value"], strict=True)
        rows.append((label, list(mine["picture"]), [f"{factor}:\n{value}" for factor, value in told]))
    return rows


def concept_rows(
    coding: pd.DataFrame, winners: pd.DataFrame, images: ImageSet
) -> list[tuple[str, list[bytes], list[str]]]:
    """A row a concept: the visualization of the feature that codes it best, and its most activating images under their
    captions. ``winners``: the model's, best first."""
    rows = []
    for row in coding.itertuples():
        best = winners[(winners["block"] == row.block) & (winners["feature"] == row.feature)]["image"]
        captions = [textwrap.fill(caption_of(images, winner), WRAP) for winner in best]
        pictures = [row.picture, *(_png(images.image(winner)) for winner in best)]
        label = f"{row.concept}\n{row.block}.{row.feature}, AUROC {row.held_out:.2f}"
        rows.append((label, pictures, ["visualization", *captions]))
    return rows


def background_figure(row: pd.Series, winners: pd.DataFrame, maps: np.ndarray, images: ImageSet) -> Figure:
    """The feature's visualization, then its most activating images under its ``maps`` [k, h, w]."""
    block, feature = row["block"], row["feature"]
    best = winners[(winners["block"] == block) & (winners["feature"] == feature)]["image"]
    shown = [Image.fromarray(decode(row["picture"])), *(images.image(winner) for winner in best)]
    maps = maps.astype(np.float32)
    blank = np.full_like(maps[:1], maps.min())  # the visualization stays bare
    whose = f"{row['model']} {row['site']} {block}.{feature}"
    title = f"{whose}: the background's feature (AUROC on the object {row['auroc']:.2f})"
    return plots.images_with_maps([("", shown, np.concatenate([blank, maps]))], title)


def caption_of(images: ImageSet, index: int) -> str:
    """A scene's caption; of a photograph the name of its class."""
    row = images.table.iloc[index]
    return row["caption"] if "caption" in row else class_names()[row["label"]]


@cache
def class_names() -> Sequence[str]:
    """ImageNet's, from the file in which open_clip keeps them: to import open_clip is to import torch."""
    folder = Path(find_spec("open_clip").origin).parent
    return runpy.run_path(str(folder / "zero_shot_metadata.py"))["IMAGENET_CLASSNAMES"]


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
