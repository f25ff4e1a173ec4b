"""Draw a sheet of a data set's images with their captions or names."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from vitexplore import plots
from vitexplore.data.images import ImageSet

SHOWN, COLUMNS, SIDE = 32, 8, 160


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder that `scenes` or `index` wrote")
    parser.add_argument("--figure", type=Path, required=True)


def run(args: argparse.Namespace) -> None:
    images = ImageSet.read(args.data)
    chosen = np.linspace(0, len(images) - 1, min(SHOWN, len(images))).astype(int)
    resized = [images.image(i).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for i in chosen]
    text = images.table["caption" if "caption" in images.table else "name"].iloc[chosen]
    plots.save(plots.contact_sheet(np.stack(resized), list(text), COLUMNS, wrap=22), args.figure)
