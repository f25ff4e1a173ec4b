"""Sheets of features that somebody chose: their pictures, and the images that activate them most."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.figures import feature_rows, overlays, plots
from vitexplore.figures.feature_rows import Exemplars, Strip, activation, shown

SHOWN = 64  # features of each site on a sheet
ACTIVATIONS = f"Above a picture: the feature, and its activation there. {feature_rows.CROSSED_OUT}"


def sheet(
    table: pd.DataFrame, folder: Path, title: str, top: Mapping[tuple[str, int], Exemplars] | None = None
) -> Figure:
    """The first features of each site: rows of ``visualize_to_folder``, whose files lie in ``folder``. ``top``: by the
    columns site and feature, what is shown beside each of these features; without it the captions give activations."""
    top, strips = top or {}, []
    chosen = table.groupby("site", sort=False).head(SHOWN)
    for row in chosen.itertuples():
        beside = top.get((row.site, row.feature))
        value = "dead" if row.dead else activation(row.score, beside.best if beside else 0)
        picture = shown((folder / row.file).read_bytes(), row.dead)
        strips.append(Strip(row.site, [(picture, f"{row.feature}: {value}")], beside))
    how = feature_rows.OF_IMAGES + feature_rows.HOW_TO_READ if top else ACTIVATIONS
    return feature_rows.draw(strips, title, how)


def top_images(features: Sequence[int], found: Sequence[Exemplars], title: str) -> Figure:
    """One row a feature: its most activating images, best first, under its maps."""
    rows: list[plots.Row] = []
    for feature, mine in zip(features, found, strict=True):
        rows.append((str(feature), [(picture, "") for picture in overlays.under_maps(mine.images, mine.maps)]))
    return plots.picture_rows(rows, title, overlays.HOW_TO_READ)
