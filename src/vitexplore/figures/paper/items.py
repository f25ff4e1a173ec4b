"""The figures and tables of the paper, in its order, and what draws ours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.figures.paper import background, depth, language, low_pass, maps, sites, token_mixing
from vitexplore.figures.paper.tiles import Tiles
from vitexplore.graph import Graph

Data = pd.DataFrame | Tiles


@dataclass(frozen=True)
class Item:
    """``where``: its name in the paper; ``shows``: what is seen there; ``claims``: those that it illustrates. ``data``:
    what ours is drawn from, out of a scale's tables (it raises Missing); ``draw``: ours, from that alone. Without them
    it is drawn in the figure ``within``, or nowhere, as ``note`` says."""

    where: str
    shows: str
    claims: tuple[str, ...]
    data: Callable[[Graph], Data] | None = None
    draw: Callable[[Any], Figure] | None = None
    within: str = ""
    note: str = ""


ITEMS = {
    "fig1": Item("Fig. 1", "features by depth", ("depth_progression",), depth.data, depth.draw),
    "fig2": Item(
        "Fig. 2",
        "maps of an inner feature, and of a last-block one that are nearly uniform",
        ("maps_localize", "local_until_last"),
        maps.spread_data,
        maps.spread_draw,
    ),
    "fig3": Item("Fig. 3", "key, query and value features", ("ffn_over_qkv",), sites.data, sites.draw),
    "fig4": Item(
        "Fig. 4", "maps of inner blocks segment the image", ("maps_localize",), maps.object_data, maps.object_draw
    ),
    "table1": Item(
        "Table 1",
        "CLS isolated, and the head on patches",
        ("isolated_cls", "head_on_patches"),
        token_mixing.table_data,
        token_mixing.table_draw,
    ),
    "fig5": Item("Fig. 5", "accuracy by patch", ("head_on_patches",), token_mixing.heat_data, token_mixing.heat_draw),
    "fig6": Item("Fig. 6", "features by depth, more of them", ("depth_progression",), within="fig1"),
    "table2": Item("Table 2", "foreground and background", ("background",), background.data, background.draw),
    "fig7": Item(
        "Fig. 7", "a feature that fires on grass and snow", ("background",), maps.background_data, maps.background_draw
    ),
    "fig8": Item(
        "Fig. 8",
        "CLIP's features for words of captions",
        ("language_concepts",),
        language.captions,
        language.draw_captions,
    ),
    "fig9": Item(
        "Fig. 9",
        "CLIP's features for categories",
        ("language_concepts",),
        language.categories,
        language.draw_categories,
    ),
    "fig14": Item("Fig. 14", "accuracy under low-pass filters", ("low_pass",), low_pass.data, low_pass.draw),
    "appendix": Item(
        "appendix",
        "38 other models, and the recipe without each augmentation",
        ("variants", "augmentations"),
        note="run the scale `paper`: its models are drawn in figures/visualizations_*.png",
    ),
}
