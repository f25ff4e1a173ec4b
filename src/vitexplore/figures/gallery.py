"""Sheets of features that somebody chose: their pictures, and the images that activate them most."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.data.images import ImageSet
from vitexplore.figures import plots
from vitexplore.png import decode

SHOWN = 64  # features of each site on a sheet


def sheet(table: pd.DataFrame, folder: Path, title: str) -> Figure:
    """A contact sheet of the first features of each site: rows of ``visualize_to_folder``, whose files lie in
    ``folder``."""
    shown = table.groupby("site", sort=False).head(SHOWN)
    pictures = [decode((folder / file).read_bytes()) for file in shown["file"]]
    captions = [f"{row.site}.{row.feature}  {row.score:.2f}" for row in shown.itertuples()]
    return plots.contact_sheet(pictures, captions, columns=8, wrap=30, title=title)


def top_images(images: ImageSet, features: Sequence[int], winners: np.ndarray, maps: np.ndarray, title: str) -> Figure:
    """One row a feature: its ``winners`` int64 [f, k] of ``images``, best first, and its ``maps`` [f, k, h, w] over
    them."""
    shown = zip(features, winners, maps, strict=True)
    rows = [(str(feature), [images.image(winner) for winner in mine], heat) for feature, mine, heat in shown]
    return plots.images_with_maps(rows, title)
