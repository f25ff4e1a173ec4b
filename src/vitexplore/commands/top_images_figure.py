"""Draw features' most activating images, each with the feature's map over it."""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore import plots
from vitexplore.data.images import ImageSet

SHOWN = 5  # images a feature; one feature of each of some blocks


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--top", type=Path, required=True, help="what `collect` wrote")
    parser.add_argument("--maps", type=Path, required=True, help="what `collect` wrote")
    parser.add_argument("--figure", type=Path, required=True)


def run(args: argparse.Namespace) -> None:
    images, top = ImageSet.read(args.data), pd.read_parquet(args.top)
    top = top[top["site"].isin(("ffn", "channel"))]
    with np.load(args.maps) as maps:
        plots.save(draw(images, top, maps), args.figure)


def draw(images: ImageSet, top: pd.DataFrame, maps: Mapping[str, np.ndarray]) -> Figure:
    """Rows: the first feature of up to six blocks, evenly spread; columns: its best images, map laid over."""
    kind, rows = top["site"].iloc[0], []
    for block in np.unique(np.linspace(0, top["block"].max(), 6).round().astype(int)):
        mine = top[(top["block"] == block) & (top["feature"] == 0)].sort_values("place")["image"][:SHOWN]
        rows.append((f"{kind} {block}.0", [images.image(image) for image in mine], maps[f"{kind}_{block}"][0]))
    return plots.images_with_maps(rows, f"{top['model'].iloc[0]}: most activating images and the feature's map")
