"""Features beside what activates them: the strips that sheets of features are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.data.images import ImageSet
from vitexplore.figures import overlays, plots
from vitexplore.png import decode

IMAGES = 4  # most activating ones beside a feature's visualizations
ACROSS = 12  # pictures beside each other on a sheet
CROSSED_OUT = "Crossed out: dead, the feature does not fire at the picture."
HOW_TO_READ = (
    f"{CROSSED_OUT} ×: its activation over that at the best image of the data; "
    "the activation itself, without ×, where no image makes it fire."
)
OF_TOP = "the images that activate it most, pink where it fires"
OF_IMAGES = f"Beside each feature, {OF_TOP}. "
OF_JUDGE = "id: how well a judge tells by the picture which feature it is of (1 always, 0.5 by chance)."


@dataclass(frozen=True)
class Exemplars:
    """The images that activate a feature most, best first, as they were ``overlays.seen``, and ``maps`` float [k, h, w]
    over them; ``best``: the feature's activation at the first one, mean over positions."""

    images: Sequence[np.ndarray]
    maps: np.ndarray
    best: float

    @classmethod
    def of(
        cls, images: ImageSet, winners: Sequence[int], scores: Sequence[float], maps_khw: np.ndarray, crop: float
    ) -> "Exemplars":
        """``winners``: a feature's most activating ones of ``images``, best first, and their ``scores``; ``crop``: of
        the model, which saw a central square of each image (see ``overlays.seen``)."""
        return cls([overlays.seen(images.image(winner), crop) for winner in winners], maps_khw, float(scores[0]))


@dataclass(frozen=True)
class Strip:
    """One feature: its visualizations with their captions, and its exemplars, where they are known. ``group``: what
    strips beside each other have in common, such as their site."""

    group: str
    visualizations: list[plots.Cell]
    exemplars: Exemplars | None = None


def drawn(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of features that were visualized: a judge can tell those of their site apart (see the option `ceiling`
    of the experiment `visualize`)."""
    return table[table["picture"].notna()]


def shown(png: bytes, dead: bool) -> np.ndarray:
    """A visualization as figures show it, uint8 [h, w, 3]: crossed out where it is dead."""
    return overlays.crossed_out(decode(png)) if dead else decode(png)


def judged(row: pd.Series) -> plots.Cell:
    """A visualization under its feature and what a judge makes of it; ``row`` has feature, picture, dead and
    identification."""
    return shown(row.picture, row.dead), f"{row.feature}: {'dead' if row.dead else f'id {row.identification:.2f}'}"


def activation(score: float, best: float) -> str:
    """In words: the activation at a picture over that at the best image, alone where that one does not fire."""
    return f"{score / best:.1f}×" if best > 0 else f"{score:.2f}"


def draw(strips: Sequence[Strip], title: str, note: str) -> Figure:
    """A sheet: as many strips of one group beside each other as ACROSS pictures allow."""
    rows: list[plots.Row] = []
    for group in dict.fromkeys(strip.group for strip in strips):
        mine = [_cells(strip) for strip in strips if strip.group == group]
        beside = max(1, ACROSS // max(len(cells) for cells in mine))
        for first in range(0, len(mine), beside):
            rows.append((group, _joined(mine[first : first + beside])))
    return plots.picture_rows(rows, title, note)


def _cells(strip: Strip) -> list[plots.Cell]:
    if strip.exemplars is None:
        return strip.visualizations
    best = overlays.under_maps(strip.exemplars.images[:IMAGES], strip.exemplars.maps[:IMAGES])
    return strip.visualizations + [(picture, "") for picture in best]


def _joined(strips: Sequence[list[plots.Cell]]) -> list[plots.Cell]:
    """Strips beside each other, a gap before each but the first; none between single pictures."""
    gap = [plots.GAP] if len(strips[0]) > 1 else []
    return [cell for number, cells in enumerate(strips) for cell in ((gap if number else []) + cells)]
