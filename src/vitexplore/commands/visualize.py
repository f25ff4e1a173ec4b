"""Optimize images that show what features of a model respond to."""

import argparse
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from vitexplore import plots
from vitexplore.commands.common import add_example, add_named_model, integers, named_model_of
from vitexplore.errors import InputError
from vitexplore.io import write_atomically, write_json, write_table
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, channels, sites
from vitexplore.progress import meter
from vitexplore.provenance import of_model
from vitexplore.visualize.objective import Channels, Directions, Logits, Objective, classes
from vitexplore.visualize.optimize import Checkpoint, Visualization, visualize
from vitexplore.visualize.quality import high_frequency_share
from vitexplore.visualize.recipes import RECIPES, recipe_for
from vitexplore.visualize.score import loss_table

SHOWN = 64  # features of each block on the contact sheet


def configure(parser: argparse.ArgumentParser) -> None:
    add_example(
        parser,
        "vitexplore visualize --model lab/vit --site ffn --block 5 --features 0:32 --recipe paper --out pictures",
        "Writes a PNG for each feature, sheet.png, features.parquet (scores), losses.parquet and recipe.json. A run"
        " that was interrupted goes on when it is started again in the same way.",
    )
    add_named_model(parser)
    parser.add_argument("--site", required=True, help="ffn, query, key, value, attention_out, block, channel; or logit")
    parser.add_argument("--block", default="0:", help="blocks, counted from 0: 5, or 0:12, or 0,5,11; all if left out")
    parser.add_argument("--features", default="0:16", help="channels (or classes): 7, or 0:32, or 3,17; `:` for all")
    parser.add_argument("--position", type=int, help="one position of the grid, row-major, not the mean over all")
    parser.add_argument("--directions", type=Path, help="a .npy of vectors [n, channels]; --features picks among them")
    parser.add_argument("--recipe", choices=RECIPES, default="ours")
    parser.add_argument("--steps", type=int, help="in place of the recipe's")
    parser.add_argument("--copies", type=int, help="augmented copies a step, in place of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, help="features at once; as many as fit the free memory if left out")
    parser.add_argument("--out", type=Path, required=True, help="folder")


def run(args: argparse.Namespace) -> None:
    model = named_model_of(args)
    changes = {key: value for key in ("steps", "copies") if (value := getattr(args, key)) is not None}
    if any(value < 1 for value in changes.values()) or (args.batch is not None and args.batch < 1):
        raise InputError("--steps, --copies and --batch must be at least 1")
    recipe = recipe_for(args.recipe, model.spec.family, **changes)
    objectives = objectives_of(args, model)
    total = sum(len(objective.labels) for objective in objectives.values())
    rows, losses, unfinished = [], [], args.out / f".unfinished_{args.seed}"
    with meter(f"{model.spec.name} {args.site}", total, "features") as tell:
        for name, objective in objectives.items():
            kept = Checkpoint(unfinished / name, keep=True)
            found = visualize(model, objective, recipe, args.seed, args.batch, kept, tell)
            rows.append(save_pictures(args, name, objective, found))
            losses.append(loss_table(objective.labels, found, place=name))
    provenance = of_model(model, "", "none", args.seed)
    table = pd.concat(rows, ignore_index=True)
    write_table(args.out / "losses.parquet", pd.concat(losses, ignore_index=True), provenance)
    write_table(args.out / "features.parquet", table, provenance)
    write_json(args.out / "recipe.json", asdict(recipe))
    weights = f" ({Path(args.checkpoint).name})" if args.checkpoint else ""
    title = f"{model.spec.name}{weights}, {args.site}, recipe {recipe.name}"
    plots.save(sheet(args, table, title), args.out / "sheet.png")
    shutil.rmtree(unfinished)


def objectives_of(args: argparse.Namespace, model: Model) -> dict[str, Objective]:
    """One a block, by the name that its files begin with."""
    if args.site == "logit":
        if args.position is not None or args.directions:
            raise InputError("class logits have neither positions nor directions")
        return {"logit": Logits(integers(args.features, classes(model), "--features"))}
    available = sites(model)
    if args.site not in available:
        raise InputError(f"{model.spec.name} has no site {args.site!r}; it has {', '.join(available)}")
    directions = torch.from_numpy(np.load(args.directions)).float() if args.directions else None
    if directions is not None and directions.ndim != 2:
        raise InputError(f"{args.directions} has shape {list(directions.shape)}, not [n, channels]")
    found: dict[str, Objective] = {}
    for block in integers(args.block, available[args.site], "--block"):
        site = Site(args.site, block)
        labels = integers(args.features, channels(model, site) if directions is None else len(directions), "--features")
        if directions is None:
            found[f"{args.site}_{block}"] = Channels(site, labels, args.position)
        else:
            found[f"{args.site}_{block}"] = Directions(site, labels, directions[list(labels)], args.position)
    return found


def save_pictures(args: argparse.Namespace, name: str, objective: Objective, found: Visualization) -> pd.DataFrame:
    """Write the PNGs; a row for each: place, feature, file, score, high_frequency, loss (the last)."""
    files = [f"{name}_{label:05d}.png" for label in objective.labels]
    for file, image in zip(files, found.images, strict=True):
        png = plots.encode(image)
        write_atomically(args.out / file, lambda path, png=png: path.write_bytes(png))
    return pd.DataFrame(
        {
            "place": name,
            "feature": objective.labels,
            "file": files,
            "score": found.score.numpy(),
            "high_frequency": high_frequency_share(found.images).numpy(),
            "loss": found.loss[-1].numpy(),
            "batch": found.batch,
        }
    )


def sheet(args: argparse.Namespace, table: pd.DataFrame, title: str) -> Figure:
    """A contact sheet of the first features of each block."""
    shown = table.groupby("place", sort=False).head(SHOWN)
    pictures = [plots.decode((args.out / file).read_bytes()) for file in shown["file"]]
    captions = [f"{row.place}.{row.feature}  {row.score:.2f}" for row in shown.itertuples()]
    return plots.contact_sheet(pictures, captions, columns=8, wrap=30, title=title)
