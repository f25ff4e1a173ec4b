"""What tables know of a model's features, where they were both visualized and looked for in images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from vitexplore.data.images import ImageSet
from vitexplore.figures.paper.tiles import Missing
from vitexplore.figures.tables import OWN_SITES, best_of, collected_images, looks, maps_of, winners_of
from vitexplore.graph import Graph
from vitexplore.io import rows_of
from vitexplore.models.spec import FAMILIES
from vitexplore.png import decode

SIDE = 96  # pixels of a tile, at most


@dataclass(frozen=True)
class Features:
    """Of one model, at the site of its features. ``images``: those that were looked through."""

    graph: Graph
    model: str
    images: ImageSet

    @property
    def side(self) -> int:
        """Pixels of this model's tiles."""
        return min(SIDE, *self.images.image(0).size)

    @cached_property
    def winners(self) -> pd.DataFrame:
        return winners_of(self.graph, self.model)

    @cached_property
    def drawn(self) -> pd.DataFrame:
        """The features of which there are visualizations at which they fire, those that tell most of some factor first
        where that is known: block, feature, picture, and value, what their top images share."""
        if self.model in self.graph.models("portraits"):
            rows = rows_of(self.graph.table("portraits", self.model), self.model)
            rows = rows[rows["chosen_for"] == "depth"]
        else:
            rows = rows_of(self.graph.table("visualize", self.model), self.model)
            rows = rows[rows["site"].isin(OWN_SITES)].assign(value="").drop_duplicates(["block", "feature"])
        return rows[~rows["dead"].astype(bool)].reset_index(drop=True)

    def maps(self, block: int) -> np.ndarray:
        """float32 [f, k, h, w]: all features' maps of their most activating images, best first."""
        return maps_of(self.graph, self.model, self.winners["site"].iloc[0], block).astype(np.float32)

    def best(self, block: int, feature: int, count: int) -> pd.DataFrame:
        return best_of(self.winners, block, feature, count)

    def looks(self, best: pd.DataFrame) -> list[np.ndarray]:
        return looks(best, self.images, self.side)

    def picture(self, block: int, feature: int) -> np.ndarray | None:
        """Its visualization, None where there is none."""
        mine = self.drawn[(self.drawn["block"] == block) & (self.drawn["feature"] == feature)]
        return None if mine.empty else decode(mine["picture"].iloc[0])


def by_family(graph: Graph, experiments: Sequence[str] = ()) -> dict[str, Features]:
    """The first model of each family that was visualized and looked for in images, and took part in ``experiments``.
    Raises Missing where there is none."""
    images, found = collected_images(graph) if graph.top_images_models() else None, {}
    for model in graph.top_images_models():
        if all(model in graph.models(experiment) for experiment in experiments):
            found.setdefault(graph.scale.models[model].family, Features(graph, model, images))
    if not found:
        raise Missing("this scale has no visualizations beside the images that activate a feature most")
    return {family: found[family] for family in FAMILIES if family in found}


def vit_of(graph: Graph, experiments: Sequence[str] = ()) -> Features:
    """The first such ViT. Raises Missing where there is none."""
    found = by_family(graph, experiments)
    if "vit" not in found:
        raise Missing("this scale has no ViT that was visualized")
    return found["vit"]
