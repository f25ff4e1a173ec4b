"""A folder of pictures of features that somebody chose: PNG files, scores, loss curves, the recipe."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from torch import Tensor

from vitexplore.folder_lock import held
from vitexplore.io import write_atomically, write_json, write_table
from vitexplore.models.registry import Model
from vitexplore.png import encode
from vitexplore.progress import meter
from vitexplore.provenance import of_model
from vitexplore.visualize.accentuate import NOISE, Start
from vitexplore.visualize.objective import Channels, Objective
from vitexplore.visualize.optimize import Checkpoint, Visualization, visualize
from vitexplore.visualize.quality import high_frequency_share
from vitexplore.visualize.recipes import Recipe
from vitexplore.visualize.score import loss_table, silent


def visualize_to_folder(
    model: Model,
    objectives: Mapping[str, Objective],
    recipe: Recipe,
    out: Path,
    seed: int = 0,
    batch: int | None = None,
    start: Start = NOISE,
    transparency: bool = False,
) -> pd.DataFrame:
    """Visualize the features of ``objectives``, by the name that their files begin with (see expression.py), and
    write to ``out``: a PNG for each, features.parquet, losses.parquet and recipe.json. ``batch``: features at once, as
    many as fit the free memory for None. ``start``: what all pictures begin with. ``transparency``: the PNGs are RGBA,
    transparent where the feature is not (see transparency.py). A run that was interrupted goes on when it is started
    again.

    The table is that of ``rows_of``. Raises InputError where another process writes to ``out``, or another run left
    something there."""
    with held(out):
        total = sum(len(objective.labels) for objective in objectives.values())
        rows, losses, unfinished = [], [], out / f".unfinished_{seed}"
        with meter(model.spec.name, total, "features") as tell:
            for name, objective in objectives.items():
                checkpoint, began = Checkpoint(unfinished / name, keep=True), start.of(model, objective)
                found = visualize(
                    model, objective, recipe, seed, batch, checkpoint, tell, **began, transparency=transparency
                )
                rows.append(rows_of(name, objective, found))
                write_pictures(out, rows[-1]["file"], drawn(found))
                losses.append(loss_table(objective.labels, found.loss, site=name))
        provenance = of_model(model, "", "none", seed)
        table = pd.concat(rows, ignore_index=True)
        write_table(out / "losses.parquet", pd.concat(losses, ignore_index=True), provenance)
        write_table(out / "features.parquet", table, provenance)
        write_json(out / "recipe.json", asdict(recipe))
        shutil.rmtree(unfinished)
        return table


def rows_of(name: str, objective: Objective, found: Visualization) -> pd.DataFrame:
    """A row for each feature of ``objective``, which goes by ``name``: site, feature, file, score, dead (a unit behind
    its nonlinearity that does not fire), high_frequency, loss (the last), batch."""
    dead = silent(objective.site, found.score).numpy() if isinstance(objective, Channels) else False
    return pd.DataFrame(
        {
            "site": name,
            "feature": objective.labels,
            "file": [f"{name}_{label:05d}.png" for label in objective.labels],
            "score": found.score.numpy(),
            "dead": dead,
            "high_frequency": high_frequency_share(found.images).numpy(),
            "loss": found.loss[-1].numpy(),
            "batch": found.batch,
        }
    )


def drawn(found: Visualization) -> Tensor:
    """The images as PNGs keep them: [f, 3, h, w], or [f, 4, h, w] where their transparency was recorded."""
    return found.images if found.transparency is None else found.rgba


def write_pictures(folder: Path, files: Iterable[str], images: Tensor) -> None:
    """Write ``images`` [f, 3 or 4, h, w] in [0, 1] as PNG ``files`` in ``folder``."""
    for file, image in zip(files, images, strict=True):
        png = encode(image)
        write_atomically(folder / file, lambda path, png=png: path.write_bytes(png))
