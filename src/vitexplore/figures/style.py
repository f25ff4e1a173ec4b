"""The one style of all figures, applied while a figure is made and written: importing this changes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import seaborn as sns
from cycler import cycler

COLOURS = sns.color_palette("colorblind")
PAGE, COLUMN = 6.9, 3.3  # inches: widths of a page and of a column of the paper
TEXT, TITLE = 7, 8  # points, at these widths
OF_FAMILY = {"vit": (COLOURS[0], "o"), "cnn": (COLOURS[1], "s"), "clip": (COLOURS[2], "^")}  # colour and marker
NAMES = {"vit": "ViT", "cnn": "CNN", "clip": "CLIP"}

SHEET = {
    **sns.plotting_context("notebook"),
    **sns.axes_style("whitegrid"),
    "axes.prop_cycle": cycler(color=COLOURS),
    "patch.facecolor": COLOURS[0],
}
PRINT = {
    **SHEET,
    "font.size": TEXT,
    "axes.labelsize": TEXT,
    "axes.titlesize": TEXT,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "legend.fontsize": TEXT,
    "figure.titlesize": TITLE,
    "figure.titleweight": "bold",
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "xtick.major.size": 2,
    "xtick.major.width": 0.6,
    "xtick.major.pad": 2,
    "ytick.major.size": 0,
    "ytick.major.pad": 2,
    "pdf.fonttype": 42,  # fonts are embedded whole, as TrueType
}


@contextmanager
def style(*, in_print: bool = False) -> Iterator[None]:
    """Figures look alike inside: those of sheets, or with ``in_print`` those as wide as a page or column of the
    paper."""
    with matplotlib.rc_context(PRINT if in_print else SHEET):
        yield
