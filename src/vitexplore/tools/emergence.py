"""Does the paper's picture come with size and training? The claims on tokens, measured on lab ViTs of growing depth,
width and training. There is no verdict: a handful of small networks decides nothing about large ones."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from vitexplore.claims.text import Claim
from vitexplore.errors import InputError
from vitexplore.figures import plots
from vitexplore.figures.emergence import drawn
from vitexplore.io import write_atomically
from vitexplore.models.registry import Model, load
from vitexplore.models.spec import ModelSpec
from vitexplore.planted.instrument import measured
from vitexplore.planted.lab import FULL, Budget, Lab
from vitexplore.planted.twins import PATCH

CLAIMS = {  # the experiment that each of them reads
    "isolated_cls": "token_mixing",
    "head_on_patches": "token_mixing",
    "local_until_last": "locality",
    "learned_pooling": "pooling",
}


def measure(weights: Path, claims: Mapping[str, Claim], budget: Budget = FULL) -> pd.DataFrame:
    """A row for each statement of CLAIMS on the lab ViT in the file ``weights``, beside which its record lies: model,
    depth, width, images_seen, test_top1 (0 to 1), claim, statement, role, measured, low, high, n. Raises InputError
    where the record is missing."""
    record_file = weights.with_suffix(".json")
    if not record_file.exists():
        raise InputError(f"{record_file}: no such file; `snakemake grow` writes it beside the weights")
    record = json.loads(record_file.read_text())
    spec = ModelSpec("grown", "lab", record["recipe"]["architecture"], "vit", weights=str(weights))
    model, lab = load(spec), Lab(budget)
    about = {
        "model": weights.stem,
        "depth": len(model.trunk.blocks),
        "width": model.trunk.embed_dim,
        "images_seen": record["images_seen"],
        "test_top1": record["test_top1"],
    }
    tables = tables_of(model, lab)
    rows = [
        about | {"claim": name} | row
        for name, experiment in CLAIMS.items()
        for row in measured(claims[name], [tables[experiment]])
    ]
    return pd.DataFrame(rows).drop(columns="word")


def tables_of(model: Model, lab: Lab) -> dict[str, pd.DataFrame]:
    """The experiments' tables; but for token_mixing with a network of the same shape and random weights: the
    control."""
    images: dict[str, Any] = {"images": lab.budget.images}
    both = (model, load(replace(model.spec, name="random", weights="random")))
    located = [lab.rows("locality", each, lab.loader(), patch=PATCH, **images)["locality"] for each in both]
    rewired = [lab.rows("pooling", each, lab.loader(), **images)["pooling"] for each in both]
    mixed = lab.rows("token_mixing", model, lab.loader(preprocessing="paper"), **images)["token_mixing"]
    found = {"locality": pd.concat(located, ignore_index=True), "pooling": pd.concat(rewired, ignore_index=True)}
    return found | {"token_mixing": mixed}


def write(weights: Path, claims: Mapping[str, Claim], out: Path) -> None:
    """Write the table of ``measure`` as CSV."""
    table = measure(weights, claims)
    write_atomically(out, lambda path: table.to_csv(path, index=False, float_format="%.4g"))


def join(claims: Mapping[str, Claim], parts: Sequence[Path], out: Path, figure: Path) -> None:
    """Write the tables of all models under each other, and their figure."""
    table = pd.concat([pd.read_csv(part) for part in parts], ignore_index=True)
    margins = {name: next(iter(claims[name].statements.values()))["margin"] for name in CLAIMS}
    plots.save(drawn(table, margins), figure)
    write_atomically(out, lambda path: table.to_csv(path, index=False))
