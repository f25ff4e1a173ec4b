"""Folders of pictures for people: features visualized, and the images that activate them most, each with a sheet."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from vitexplore.activations.collect import collect, maps_of
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader
from vitexplore.errors import InputError
from vitexplore.figures import gallery, plots
from vitexplore.io import write_table
from vitexplore.models.registry import Model
from vitexplore.provenance import of_model
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
) -> Path:
    """What ``visualize_to_folder`` writes, and sheet.png, whose title says ``what``. Return the sheet's path."""
    table = visualize_to_folder(model, objectives, recipe, out, seed, batch)
    sheet = out / "sheet.png"
    plots.save(gallery.sheet(table, out, f"{what}, recipe {recipe.name}"), sheet)
    return sheet


def channels_in(model: Model, expression: str) -> Channels:
    """The channels of one block that ``expression`` asks for, means over positions. Raises InputError where it asks
    for anything else."""
    found = list(objectives(model, expression).values())
    match found:
        case [Channels(position=None) as wanted]:
            return wanted
    raise InputError(f"{expression!r}: top images are of channels of one block; write ffn:5:0:8 or channel:13:3,17")


def top_images(model: Model, images: ImageSet, wanted: Channels, k: int, batch: int, out: Path) -> Path:
    """Write to the folder ``out`` which ``k`` of ``images`` activate each of the ``wanted`` channels most, top.parquet
    (feature, rank, image, score), and show them with the features' maps, top.png. Return the latter's path."""
    loader, site = Loader(images, batch=batch), wanted.site
    top = collect(model, loader, [site], min(k, len(images)))[site].of(wanted.labels)
    maps = maps_of(model, loader, {site: top})[site]
    table = pd.DataFrame(
        {
            "feature": np.repeat(top.features, top.images.shape[1]),
            "rank": np.tile(np.arange(top.images.shape[1]), len(wanted.labels)),
            "image": images.table["name"].to_numpy()[top.images.reshape(-1)],
            "score": top.scores.reshape(-1),
        }
    )
    write_table(out / "top.parquet", table, of_model(model, "", "own"))
    found = gallery.exemplars(images, top.images, top.scores, maps, model.spec.crop)
    title = f"{model.spec.name}, {site.kind} {site.block}: features and the images that activate them most"
    sheet = out / "top.png"
    plots.save(gallery.top_images(top.features, found, title), sheet)
    return sheet
