"""Folders of pictures for people: features visualized, and the images that activate them most, each with a sheet."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from vitexplore.activations.collect import Ranking, collect, maps_of
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader
from vitexplore.errors import InputError
from vitexplore.figures import feature_rows, gallery, plots
from vitexplore.figures.feature_rows import Exemplars
from vitexplore.io import write_table
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site
from vitexplore.provenance import of_model
from vitexplore.visualize.accentuate import NOISE, Start
from vitexplore.visualize.expression import objectives
from vitexplore.visualize.gallery import visualize_to_folder
from vitexplore.visualize.objective import Channels, Objective
from vitexplore.visualize.recipes import Recipe


def folder_for(model: str, expression: str, under: str = "pictures") -> Path:
    """A folder of the current one for what a command makes, with a name that every file system takes."""
    return Path(under) / re.sub(r"[^A-Za-z0-9.,@+-]+", "_", f"{model}_{expression}")


def read_directions(path: Path) -> torch.Tensor:
    """The vectors [n, channels] of an .npy file. Raises InputError for another shape."""
    vectors = torch.from_numpy(np.load(path)).float()
    if vectors.ndim != 2:
        raise InputError(f"{path} has shape {list(vectors.shape)}, not [n, channels]")
    return vectors


def visualized(
    model: Model,
    objectives: Mapping[str, Objective],
    recipe: Recipe,
    out: Path,
    seed: int,
    batch: int | None,
    what: str,
    images: ImageSet | None = None,
    start: Start = NOISE,
    transparency: bool = False,
) -> Path:
    """What ``visualize_to_folder`` writes, and sheet.png, whose title says ``what``, with those of ``images`` that
    activate channels most beside these. Return the sheet's path. Raises InputError where there are ``images``, but no
    channels (means over positions) among ``objectives``."""
    channels = {name: each for name, each in objectives.items() if is_channels(each)}
    if images is not None and not channels:
        raise InputError(f"{', '.join(objectives)}: images are shown beside channels alone; leave them out")
    table = visualize_to_folder(model, objectives, recipe, out, seed, batch, start, transparency)
    top = {}
    if images is not None:
        wanted = {each.site: each.labels for each in channels.values()}
        _, found = _top(model, Loader(images), wanted, feature_rows.IMAGES)
        for name, each in channels.items():
            top |= {(name, label): mine for label, mine in zip(each.labels, found[each.site], strict=True)}
    sheet = out / "sheet.png"
    plots.save(gallery.sheet(table, out, f"{what}, recipe {recipe.name}", top), sheet)
    return sheet


def is_channels(objective: Objective) -> bool:
    """Whether it is of channels and their means over positions, by which images are ranked."""
    return isinstance(objective, Channels) and objective.position is None


def _top(
    model: Model, loader: Loader, wanted: Mapping[Site, Sequence[int]], k: int
) -> tuple[dict[Site, Ranking], dict[Site, list[Exemplars]]]:
    """The ``k`` images, or all where there are fewer, that activate each of the ``wanted`` features of each site most;
    and these images with the features' maps."""
    ranked = collect(model, loader, list(wanted), min(k, len(loader.images)))
    top = {site: ranked[site].of(features) for site, features in wanted.items()}
    maps = maps_of(model, loader, top)
    shown = {
        site: [
            Exemplars.of(loader.images, *of_feature, model.spec.crop)
            for of_feature in zip(mine.images, mine.scores, maps[site], strict=True)
        ]
        for site, mine in top.items()
    }
    return top, shown


def channels_in(model: Model, expression: str) -> Channels:
    """The channels of one block that ``expression`` asks for, means over positions. Raises InputError where it asks
    for anything else."""
    found = list(objectives(model, expression).values())
    if len(found) != 1 or not is_channels(found[0]):
        raise InputError(f"{expression!r}: top images are of channels of one block; write ffn:5:0:8 or channel:13:3,17")
    return found[0]


def top_images(model: Model, images: ImageSet, wanted: Channels, k: int, batch: int, out: Path) -> Path:
    """Write to the folder ``out`` which ``k`` of ``images`` activate each of the ``wanted`` channels most, top.parquet
    (feature, rank, image, score), and show them with the features' maps, top.png. Return the latter's path."""
    site = wanted.site
    ranked, shown = _top(model, Loader(images, batch=batch), {site: wanted.labels}, k)
    top = ranked[site]
    table = pd.DataFrame(
        {
            "feature": np.repeat(top.features, top.images.shape[1]),
            "rank": np.tile(np.arange(top.images.shape[1]), len(wanted.labels)),
            "image": images.table["name"].to_numpy()[top.images.reshape(-1)],
            "score": top.scores.reshape(-1),
        }
    )
    write_table(out / "top.parquet", table, of_model(model, "", "own"))
    title = f"{model.spec.name}, {site.kind} {site.block}: features and the images that activate them most"
    sheet = out / "top.png"
    plots.save(gallery.top_images(top.features, shown[site], title), sheet)
    return sheet
