"""Pictures of features in a notebook: one line makes them, and what it returns draws itself."""

import base64
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from vitexplore.figures import gallery as sheets
from vitexplore.figures import plots
from vitexplore.io import write_table
from vitexplore.models.catalogue import load_named
from vitexplore.models.registry import Model, at_size
from vitexplore.png import encode
from vitexplore.progress import meter
from vitexplore.provenance import of_model
from vitexplore.visualize.accentuate import start_from
from vitexplore.visualize.expression import objectives
from vitexplore.visualize.gallery import drawn, rows_of, write_pictures
from vitexplore.visualize.optimize import visualize
from vitexplore.visualize.recipes import FAST, recipe_for

WIDTH = 176  # pixels of an image in a notebook


@dataclass(frozen=True)
class Shown:
    """What ``show`` made. ``images`` float [f, 3, h, w] in [0, 1], [f, 4, h, w] with their transparency, and
    ``table``, a row for each of them: site, feature, file (its name in ``save``), score (the objective on the clean
    image), dead (a unit that does not fire there), high_frequency, loss (the last), batch; ``provenance``: model,
    weights and libraries. A notebook draws the images under ``title``."""

    title: str
    images: Tensor = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    provenance: dict[str, Any] = field(repr=False)

    def save(self, folder: Path | str) -> None:
        """Write to ``folder`` a PNG for each image, features.parquet and sheet.png."""
        folder = Path(folder)
        write_pictures(folder, self.table["file"], self.images)
        write_table(folder / "features.parquet", self.table, self.provenance)
        plots.save(sheets.sheet(self.table, folder, self.title), folder / "sheet.png")

    def _repr_html_(self) -> str:
        pictures = []
        for row, image in zip(self.table.itertuples(), self.images, strict=True):
            caption = f"{row.site}, {row.feature}: score {row.score:.3g}{', dead' if row.dead else ''}"
            pictures.append(_figure(encode(image), caption))
        wrapped = f'<div style="display: flex; flex-wrap: wrap; gap: 8px">{"".join(pictures)}</div>'
        return f"<p>{escape(self.title)}</p>{wrapped}"


def _figure(png: bytes, caption: str) -> str:
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    picture = f'<img src="{source}" style="width: {WIDTH}px">'
    return f'<figure style="margin: 0">{picture}<figcaption>{escape(caption)}</figcaption></figure>'


def show(
    model: str | Model,
    expression: str,
    *,
    recipe: str = FAST.name,
    seed: int = 0,
    size: int | None = None,
    steps: int | None = None,
    start: Image.Image | Path | str | None = None,
    near: float = 0.0,
    transparent: bool = False,
) -> Shown:
    """Visualize the features that ``expression`` asks for, such as ``ffn:6:0:16`` (see expression.py), of a ``model``:
    a name as ``named`` takes it, or a built one. ``recipe``: one of RECIPES, with ``steps`` in place of its own.
    ``size``: side of the images in pixels, of a built CNN any; a model that is named is built at it; its own for None.
    ``start``: an image, or its file, that all pictures begin with, and ``near``, the weight with which they are kept
    like it (see ``Start``). ``transparent``: what a feature does not respond to is transparent. Raises InputError for
    what the model or the recipes have not, for a ``size`` of a built ViT, and for what is no image."""
    if isinstance(model, Model):
        built = at_size(model, size) if size else model
    else:
        built = load_named(model, **({"input_size": size} if size else {}))
    begin = start_from(built, start, near)
    way = recipe_for(recipe, built.spec, **({"steps": steps} if steps is not None else {}))
    wanted = objectives(built, expression)
    tables, images = [], []
    with meter(built.spec.name, sum(len(each.labels) for each in wanted.values()), "features") as tell:
        for name, objective in wanted.items():
            began = begin.of(built, objective)
            found = visualize(built, objective, way, seed, report=tell, **began, transparency=transparent)
            tables.append(rows_of(name, objective, found))
            images.append(drawn(found))
    title = f"{built.spec.name}, {expression}, recipe {recipe}"
    table = pd.concat(tables, ignore_index=True)
    return Shown(title, torch.cat(images), table, of_model(built, "", "none", seed))
