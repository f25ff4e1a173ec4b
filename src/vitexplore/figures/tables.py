"""What figures read of the tables."""

import numpy as np
import pandas as pd

from vitexplore.data.images import ImageSet
from vitexplore.figures.feature_rows import Exemplars
from vitexplore.figures.overlays import SIDE, seen
from vitexplore.graph import Graph
from vitexplore.io import rows_of

OWN_SITES = ("ffn", "channel")  # the one of transformers, the one of CNNs


def winners_of(graph: Graph, model: str) -> pd.DataFrame:
    """The most activating images of a model's features, best first: rows of the table `top`."""
    top = rows_of(graph.table("top", model), model)
    return top[top["site"].isin(OWN_SITES)].sort_values("rank", kind="stable")


def maps_of(graph: Graph, model: str, site: str, block: int) -> np.ndarray:
    """float16 [f, k, h, w]: the features' maps of their most activating images, best first."""
    with np.load(graph.table("maps", model)) as maps:
        return maps[f"{model}/{site}_{block}"]


def best_of(winners: pd.DataFrame, block: int, feature: int, count: int) -> pd.DataFrame:
    """A feature's ``count`` most activating images, best first: rows of ``winners_of``."""
    return winners[(winners["block"] == block) & (winners["feature"] == feature)][:count]


def looks(best: pd.DataFrame, images: ImageSet, side: int = SIDE) -> list[np.ndarray]:
    """The images of ``best``, rows of the table `top`, as the model saw them: uint8 [side, side, 3]."""
    return [seen(images.image(row.image), row.crop, side) for row in best.itertuples()]


def exemplars_of(
    graph: Graph, model: str, images: ImageSet, chosen: pd.DataFrame
) -> dict[tuple[str, int, int], Exemplars]:
    """What activates the features of ``chosen`` (columns site, block, feature) most, from the tables `top` and `maps`,
    which hold these sites."""
    keys, found = ["site", "block", "feature"], {}
    top = rows_of(graph.table("top", model), model).merge(chosen[keys].drop_duplicates())
    with np.load(graph.table("maps", model)) as maps:
        for (site, block), mine in top.sort_values("rank", kind="stable").groupby(["site", "block"]):
            maps_fkhw = maps[f"{model}/{site}_{block}"]
            for feature, best in mine.groupby("feature"):
                ranked = best["image"].to_list(), best["score"].to_list()
                found[site, block, feature] = Exemplars.of(
                    images, *ranked, maps_fkhw[feature], float(best["crop"].iloc[0])
                )
    return found


def collected_images(graph: Graph) -> ImageSet:
    """The images among which the most activating ones were found."""
    return ImageSet.read(graph.image_index("collect").parent)
