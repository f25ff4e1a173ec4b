"""What tables know of a model's features, where they were both visualized and looked for in images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from vitexplore.data.images import ImageSet
from vitexplore.figures.feature_rows import drawn
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
    def visualized(self) -> pd.DataFrame:
        """The features of which there are visualizations at which they fire: block, feature, picture. Of several
        recipes' the last one at which the feature fires."""
        table = "portraits" if self.model in self.graph.models("portraits") else "visualize"
        rows = drawn(rows_of(self.graph.table(table, self.model), self.model))
        own = rows["site"].isin(OWN_SITES) if "site" in rows else True
        rows = rows[own & ~rows["dead"].astype(bool)]
        if "variant" in rows:  # the first recipe decides a claim, the last one is for looking
            rows = rows.drop_duplicates(["block", "feature"], keep="last").sort_values(["block", "feature"])
        return rows.reset_index(drop=True)

    @cached_property
    def drawn(self) -> pd.DataFrame:
        """Those of them that stand for their block. Where it is known what features tell of, the ones that tell most,
        with ``explained_by`` and ``value``, what their top images share; else all."""
        if "chosen_for" in self.visualized:
            return self.visualized[self.visualized["chosen_for"] == "depth"]
        return self.visualized.assign(value="")

    def firing(self, table: pd.DataFrame, count: int) -> pd.DataFrame:
        """The rows of ``table`` (columns block, feature) whose features fire in each of their ``count`` top images."""
        fires = self.winners[(self.winners["rank"] == count - 1) & (self.winners["score"] > 0)]
        return table.merge(fires[["block", "feature"]])

    def maps(self, block: int) -> np.ndarray:
        """float32 [f, k, h, w]: all features' maps of their most activating images, best first."""
        return maps_of(self.graph, self.model, self.winners["site"].iloc[0], block).astype(np.float32)

    def best(self, block: int, feature: int, count: int) -> pd.DataFrame:
        return best_of(self.winners, block, feature, count)

    def looks(self, best: pd.DataFrame) -> list[np.ndarray]:
        return looks(best, self.images, self.side)

    def picture(self, block: int, feature: int) -> np.ndarray | None:
        """Its visualization, None where there is none."""
        every = self.visualized
        mine = every[(every["block"] == block) & (every["feature"] == feature)]
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


def evenly(values: np.ndarray, most: int) -> np.ndarray:
    """At most ``most`` of ``values``, evenly spread, the first and the last among them."""
    return values[np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)]
