"""Draw features' most activating images, each with the feature's map over it."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from vitexplore import plots
from vitexplore.data.images import ImageSet

SHOWN = 5  # images a feature; one feature of each of some blocks
SIDE = 160  # pixels to which pictures are brought


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


def draw(images: ImageSet, top: pd.DataFrame, maps) -> Figure:
    """Rows: the first feature of up to six blocks, evenly spread; columns: its best images, map laid over."""
    blocks = np.unique(np.linspace(0, top["block"].max(), 6).round().astype(int))
    figure = Figure(figsize=(1.5 * SHOWN, 1.6 * len(blocks)), layout="constrained")
    figure.suptitle(f"{top['model'].iloc[0]}: most activating images and the feature's map")
    rows = figure.subplots(len(blocks), SHOWN, squeeze=False)
    for axes, block in zip(rows, blocks, strict=True):
        kind = top["site"].iloc[0]
        mine = top[(top["block"] == block) & (top["feature"] == 0)].sort_values("place")
        each = maps[f"{kind}_{block}"][0].astype(np.float32)
        low, high = each.min(), each.max()
        for axis in axes:
            axis.set(xticks=[], yticks=[])
        for axis, image, heat in zip(axes, mine["image"], each, strict=False):
            axis.imshow(images.image(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
            strength = (heat - low) / max(high - low, 1e-12)
            axis.imshow(heat, extent=(0, SIDE, SIDE, 0), cmap="autumn", alpha=0.75 * strength, vmin=low, vmax=high)
        axes[0].set_ylabel(f"{kind} {block}.0", fontsize=9)
    return figure
