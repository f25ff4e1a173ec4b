"""A folder of pictures of features that somebody chose: PNG files, scores, loss curves, the recipe."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from vitexplore.errors import InputError
from vitexplore.folder_lock import held
from vitexplore.io import write_atomically, write_json, write_table
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, channels, sites
from vitexplore.png import encode
from vitexplore.progress import meter
from vitexplore.provenance import of_model
from vitexplore.selection import integers
from vitexplore.visualize.objective import Channels, Directions, Logits, Objective, classes
from vitexplore.visualize.optimize import Checkpoint, Visualization, visualize
from vitexplore.visualize.quality import high_frequency_share
from vitexplore.visualize.recipes import Recipe
from vitexplore.visualize.score import loss_table


def visualize_to_folder(
    model: Model,
    objectives: Mapping[str, Objective],
    recipe: Recipe,
    out: Path,
    seed: int = 0,
    batch: int | None = None,
) -> pd.DataFrame:
    """Visualize the features of ``objectives``, by the name that their files begin with (see ``objectives_of``), and
    write to ``out``: a PNG for each, features.parquet, losses.parquet and recipe.json. ``batch``: features at once, as
    many as fit the free memory for None. A run that was interrupted goes on when it is started again.

    A row for each feature: site, feature, file, score, high_frequency, loss (the last), batch. Raises InputError where
    another process writes to ``out``, or another run left something there."""
    with held(out):
        return _visualized(model, objectives, recipe, out, seed, batch)


def _visualized(
    model: Model, objectives: Mapping[str, Objective], recipe: Recipe, out: Path, seed: int, batch: int | None
) -> pd.DataFrame:
    total = sum(len(objective.labels) for objective in objectives.values())
    rows, losses, unfinished = [], [], out / f".unfinished_{seed}"
    with meter(model.spec.name, total, "features") as tell:
        for name, objective in objectives.items():
            found = visualize(model, objective, recipe, seed, batch, Checkpoint(unfinished / name, keep=True), tell)
            rows.append(_save(out, name, objective, found))
            losses.append(loss_table(objective.labels, found, site=name))
    provenance = of_model(model, "", "none", seed)
    table = pd.concat(rows, ignore_index=True)
    write_table(out / "losses.parquet", pd.concat(losses, ignore_index=True), provenance)
    write_table(out / "features.parquet", table, provenance)
    write_json(out / "recipe.json", asdict(recipe))
    shutil.rmtree(unfinished)
    return table


def objectives_of(
    model: Model,
    site: str,
    blocks: str = "0:",
    features: str = "0:16",
    position: int | None = None,
    directions: Path | None = None,
) -> dict[str, Objective]:
    """``features`` of a ``site`` of some ``blocks``, or classes of the site "logit": an objective for each block, by
    its name, such as ffn_5. ``integers`` reads the numbers. ``position``: one of the grid, row-major, not the mean over
    all. ``directions``: an .npy of vectors [n, channels], among which ``features`` pick. Raises InputError for what the
    model has not, FileNotFoundError where there is no file."""
    if site == "logit":
        if position is not None or directions:
            raise InputError("class logits have neither positions nor directions")
        return {"logit": Logits(integers(features, classes(model), "--features"))}
    available = sites(model)
    if site not in available:
        raise InputError(f"{model.spec.name} has no site {site!r}; it has {', '.join(available)}")
    vectors = _vectors(directions) if directions else None
    found: dict[str, Objective] = {}
    for block in integers(blocks, available[site], "--block"):
        where = Site(site, block)
        labels = integers(features, channels(model, where) if vectors is None else len(vectors), "--features")
        objective = (
            Channels(where, labels, position)
            if vectors is None
            else Directions(where, labels, vectors[list(labels)], position)
        )
        objective.bind(model)  # says what is wrong before anything is written
        found[f"{site}_{block}"] = objective
    return found


def _vectors(path: Path) -> torch.Tensor:
    vectors = torch.from_numpy(np.load(path)).float()
    if vectors.ndim != 2:
        raise InputError(f"{path} has shape {list(vectors.shape)}, not [n, channels]")
    return vectors


def _save(out: Path, name: str, objective: Objective, found: Visualization) -> pd.DataFrame:
    """Write the PNGs, and say of each what it shows."""
    files = [f"{name}_{label:05d}.png" for label in objective.labels]
    for file, image in zip(files, found.images, strict=True):
        png = encode(image)
        write_atomically(out / file, lambda path, png=png: path.write_bytes(png))
    return pd.DataFrame(
        {
            "site": name,
            "feature": objective.labels,
            "file": files,
            "score": found.score.numpy(),
            "high_frequency": high_frequency_share(found.images).numpy(),
            "loss": found.loss[-1].numpy(),
            "batch": found.batch,
        }
    )
