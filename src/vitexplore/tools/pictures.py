"""Folders of pictures for people: features visualized, and the images that activate them most, each with a sheet."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vitexplore.activations.collect import collect, maps_of
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader
from vitexplore.figures import gallery, plots
from vitexplore.io import write_table
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site
from vitexplore.provenance import of_model
from vitexplore.visualize.gallery import visualize_to_folder
from vitexplore.visualize.objective import Objective
from vitexplore.visualize.recipes import Recipe


def visualized(
    model: Model,
    objectives: Mapping[str, Objective],
    recipe: Recipe,
    out: Path,
    seed: int,
    batch: int | None,
    what: str,
) -> None:
    """What ``visualize_to_folder`` writes, and sheet.png, whose title says ``what``."""
    table = visualize_to_folder(model, objectives, recipe, out, seed, batch)
    plots.save(gallery.sheet(table, out, f"{what}, recipe {recipe.name}"), out / "sheet.png")


def top_images(
    model: Model, images: ImageSet, site: Site, features: Sequence[int], k: int, batch: int, out: Path
) -> None:
    """Write to the folder ``out`` which ``k`` of ``images`` activate each feature most, top.parquet (feature, rank,
    image, score), and show them with the features' maps, top.png."""
    loader = Loader(images, batch=batch)
    top = collect(model, loader, [site], min(k, len(images)))[site].of(features)
    maps = maps_of(model, loader, {site: top})[site]
    table = pd.DataFrame(
        {
            "feature": np.repeat(top.features, top.images.shape[1]),
            "rank": np.tile(np.arange(top.images.shape[1]), len(features)),
            "image": images.table["name"].to_numpy()[top.images.reshape(-1)],
            "score": top.scores.reshape(-1),
        }
    )
    write_table(out / "top.parquet", table, of_model(model, "", "own"))
    found = gallery.exemplars(images, top.images, top.scores, maps, model.spec.crop)
    title = f"{model.spec.name}, {site.kind} {site.block}: features and the images that activate them most"
    plots.save(gallery.top_images(top.features, found, title), out / "top.png")
