"""Rows of tiles at the width of the paper's page, with text that can be read there."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from matplotlib.figure import Figure

from vitexplore.figures.style import PAGE, TEXT, TITLE

LETTER, LINE = 0.053 * TEXT / 7, 0.118 * TEXT / 7  # inches of a letter and of a line of text
GAP = 0.25  # between groups of tiles, in tiles' sides
MARGIN, APART = 0.04, 0.03  # inches around everything, and between tiles
WIDEST = 0.95  # inches of a tile
BOLD = 0.8  # of a line of text, the letters that a title has


@dataclass(frozen=True)
class Tile:
    """A picture, uint8 [h, w, 3], in a row (from 0) at ``x``, in tiles' sides from the left, under a caption that
    starts at its left edge."""

    row: int
    x: float
    picture: np.ndarray
    caption: str = ""


def rows_of_tiles(
    tiles: Sequence[Tile],
    labels: Sequence[str],
    title: str,
    note: str,
    heads: Mapping[tuple[int, float], str] = MappingProxyType({}),
) -> Figure:
    """``labels`` stand left of their rows, ``heads`` above a row at an ``x``, ``note`` under the title says how to read
    it. All on one axis in inches, without a layout engine: hundreds of axes take seconds."""
    left = 3 * MARGIN + 1.15 * LETTER * max(len(line) for label in labels for line in label.splitlines() or [""])
    side = min((PAGE - left - MARGIN) / (max(tile.x for tile in tiles) + 1), WIDEST)
    title, note = textwrap.fill(title, int(PAGE / LETTER * BOLD)), textwrap.fill(note, int(PAGE / LETTER))
    y = MARGIN + LINE * TITLE / TEXT * len(title.splitlines()) + APART
    texts = [(MARGIN, MARGIN, title, {"va": "top", "fontsize": TITLE, "weight": "bold"})]
    texts.append((MARGIN, y, note, {"va": "top", "linespacing": 1.1}))
    y += LINE * len(note.splitlines()) + 0.09
    pictures = []
    for row, label in enumerate(labels):
        above = {x: head for (place, x), head in heads.items() if place == row}
        y += LINE if above and row else 0  # between groups of rows
        texts += [(left + x * side, y, head, {"va": "top", "weight": "bold"}) for x, head in above.items()]
        y += LINE + APART if above else 0
        mine = [tile for tile in tiles if tile.row == row]
        y += LINE * max(len(tile.caption.splitlines()) for tile in mine) + APART
        for tile in mine:
            x = left + tile.x * side
            pictures.append((tile.picture, (x, x + side - APART, y + side - APART, y)))
            texts.append((x, y - 0.04, tile.caption, {"va": "baseline", "linespacing": 1.05}))
        texts.append((left - MARGIN, y + (side - APART) / 2, label, {"va": "center", "ha": "right"}))
        y += side
    figure = Figure(figsize=(PAGE, y + MARGIN))
    axis = figure.add_axes((0, 0, 1, 1), frame_on=False)
    for picture, extent in pictures:
        axis.imshow(picture, extent=extent, interpolation="none")
    for x, height, text, how in texts:
        if text:
            axis.text(x, height, text, **how)
    axis.set(xlim=(0, PAGE), ylim=(y + MARGIN, 0), xticks=[], yticks=[])
    return figure


def across(columns: int, together: int) -> list[float]:
    """``x`` of ``columns`` tiles in a row, a GAP after each ``together`` of them."""
    return [column + GAP * (column // together) for column in range(columns)]
