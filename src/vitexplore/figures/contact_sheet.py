"""A sheet of each data set's images with what is said of them."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from vitexplore.data.images import ImageSet
from vitexplore.figures import plots
from vitexplore.figures.captions import caption_of
from vitexplore.graph import Graph

SHOWN, COLUMNS, SIDE = 32, 8, 160
LETTERS = 110  # of a text, at most: five lines


def show(graph: Graph) -> dict[Path, Figure]:
    return {figure: draw(ImageSet.read(folder)) for folder, figure in graph.data_figures().items()}


def draw(images: ImageSet) -> Figure:
    """SHOWN images at most, evenly spread."""
    chosen = np.linspace(0, len(images) - 1, min(SHOWN, len(images))).astype(int)
    resized = [images.image(i).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for i in chosen]
    text = [textwrap.shorten(caption_of(images, i), LETTERS, placeholder="…") for i in chosen]
    return plots.contact_sheet(np.stack(resized), text, COLUMNS, wrap=22)
