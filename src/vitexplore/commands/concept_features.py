"""Show features by depth, with what explains them (paper Figs. 1 and 6), and those that code concepts best, with their
images and captions (Figs. 8 and 9)."""

import argparse
import json
import textwrap
from pathlib import Path

import open_clip
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor
from torchvision.transforms.functional import to_tensor

from vitexplore import plots
from vitexplore.commands.common import add_model, model_of
from vitexplore.data.images import ImageSet
from vitexplore.io import write_atomically
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site
from vitexplore.progress import meter
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import visualize
from vitexplore.visualize.quality import spectral_centroid
from vitexplore.visualize.recipes import recipe_for

BY_BLOCK = 8  # features of each block
OF_A_FACTOR = 3  # of those, at most
WRAP = 18  # letters of a caption's line


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--concepts", type=Path, required=True, help="what `concepts` wrote to --out")
    parser.add_argument("--features", type=Path, required=True, help="what `concepts` wrote to --features")
    parser.add_argument("--top", type=Path, required=True, help="what `collect` wrote")
    parser.add_argument("--recipe", required=True, help='as JSON, such as {"name": "ours"}')
    parser.add_argument("--out", type=Path, required=True, help="CSV: a row a feature that is shown, with its centroid")
    parser.add_argument("--depth", type=Path, required=True, help="figure like Fig. 6")
    parser.add_argument("--language", type=Path, required=True, help="figure like Figs. 8 and 9")


def run(args: argparse.Namespace) -> None:
    model, images = model_of(args), ImageSet.read(args.data)
    features, concepts, top = (pd.read_parquet(path) for path in (args.features, args.concepts, args.top))
    by_depth = explained_best(features[features["model"] == model.spec.name])
    coding = found_best(concepts[concepts["model"] == model.spec.name])
    pictures = visualized(model, pd.concat([by_depth, coding]), json.loads(args.recipe))
    by_depth["centroid"] = [float(spectral_centroid(pictures[key][None])) for key in keys(by_depth)]
    name = model.spec.name
    title = f"{name}: features by depth, and what they tell most of"
    plots.save(sheet(depth_rows(by_depth, pictures), title), args.depth)
    title = f"{name}: the features that fire most for each concept, their visualizations and most activating images"
    plots.save(sheet(concept_rows(coding, pictures, top, images), title), args.language)
    shown = by_depth[["block", "feature", "explained_by", "value", "bits", "centroid", "word_1"]]
    write_atomically(args.out, lambda path: shown.to_csv(path, index=False, float_format="%.4f"))


def sheet(rows: list[tuple[str, list, list]], title: str) -> Figure:
    return plots.picture_rows(rows, title) if rows else plots.message(f"{title}: there are none")


def explained_best(features: pd.DataFrame) -> pd.DataFrame:
    """Of each block the BY_BLOCK features that tell most of some factor, OF_A_FACTOR of the same one at most."""
    told = features[features["explained_by"] != ""].sort_values("bits", ascending=False, kind="stable")
    told = told.groupby(["block", "explained_by"]).head(OF_A_FACTOR).groupby("block").head(BY_BLOCK)
    return told.sort_values(["block", "bits"], ascending=[True, False], kind="stable").reset_index(drop=True)


def found_best(concepts: pd.DataFrame) -> pd.DataFrame:
    """A row for each concept: the feature of all blocks that is found to fire most for it; for a category, on the first
    half of the classes."""
    first = concepts[concepts["fold"] == concepts.groupby("concept")["fold"].transform("min")]
    best = first.sort_values("found", ascending=False, kind="stable").groupby("concept").head(1)
    return best.rename(columns={"best": "feature"}).sort_values(["kind", "concept"]).reset_index(drop=True)


def keys(table: pd.DataFrame) -> list[tuple[int, int]]:
    return list(zip(table["block"], table["feature"], strict=True))


def visualized(model: Model, wanted: pd.DataFrame, recipe: dict) -> dict[tuple[int, int], Tensor]:
    """A picture [3, h, w] for each block and feature of ``wanted``."""
    kind, pictures = "ffn" if model.is_vit else "channel", {}
    blocks = {int(block): sorted(mine.unique().tolist()) for block, mine in wanted.groupby("block")["feature"]}
    with meter(model.spec.name, sum(map(len, blocks.values())), "features") as tell:
        for block, features in blocks.items():
            chosen = Channels(Site(kind, block), tuple(features))
            found = visualize(model, chosen, recipe_for(family=model.spec.family, **recipe), report=tell)
            pictures |= {(block, feature): image for feature, image in zip(features, found.images, strict=True)}
    return pictures


def depth_rows(by_depth: pd.DataFrame, pictures: dict[tuple[int, int], Tensor]) -> list[tuple[str, list, list]]:
    """A row a block, with its pictures' mean centroid: each under what it tells most of and the value that its top
    images share."""
    rows = []
    for block, mine in by_depth.groupby("block"):
        shown = [plots.encode(pictures[key]) for key in keys(mine)]
        told = zip(mine["explained_by"], mine["value"], strict=True)
        label = f"block {block}\ncentroid {mine['centroid'].mean():.2f}"
        rows.append((label, shown, [f"{factor}:\n{value}" for factor, value in told]))
    return rows


def concept_rows(
    coding: pd.DataFrame, pictures: dict[tuple[int, int], Tensor], top: pd.DataFrame, images: ImageSet
) -> list[tuple[str, list, list]]:
    """A row a concept: the visualization of the feature that codes it best, and its most activating images under their
    captions."""
    rows = []
    top = top[top["site"].isin(("ffn", "channel"))].sort_values("place")
    for row in coding.itertuples():
        winners = top[(top["block"] == row.block) & (top["feature"] == row.feature)]["image"]
        shown = [pictures[row.block, row.feature], *(to_tensor(images.image(winner)) for winner in winners)]
        captions = [textwrap.fill(caption_of(images, winner), WRAP) for winner in winners]
        label = f"{row.concept}\n{row.block}.{row.feature}, AUROC {row.held_out:.2f}"
        rows.append((label, [plots.encode(picture) for picture in shown], ["visualization", *captions]))
    return rows


def caption_of(images: ImageSet, index: int) -> str:
    """A scene's caption; of a photograph the name of its class."""
    row = images.table.iloc[index]
    return row["caption"] if "caption" in row else open_clip.IMAGENET_CLASSNAMES[row["label"]]
