"""Compare cheaper visualization recipes with the paper's full one, by clean activation: how a scale's budget is
chosen."""

import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from vitexplore.io import write_atomically
from vitexplore.models.catalogue import named
from vitexplore.models.registry import load, pick_device
from vitexplore.progress import track
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import visualize
from vitexplore.visualize.recipes import DEPTHS, recipe_for
from vitexplore.visualize.study import block_sites, draw_features

MODEL, SITES = "lab/vit", ("query", "key", "value", "ffn")
CHEAPER = ((50, 2), (50, 4), (100, 2), (100, 3), (100, 4), (200, 4))  # steps and copies


def budget(device: str, threads: int, out: Path, features: int = 3) -> None:
    """Write a CSV: steps, copies, their share of the full recipe's clean activation, seconds a feature; over
    ``features`` of each site and depth of the lab's ViT."""
    torch.set_num_threads(threads)
    model = load(named(MODEL), pick_device(device))
    places = [site for depth in DEPTHS for site in block_sites(model, depth, SITES)]
    full, rows = recipe_for("paper", model.spec), []
    cheaper = [replace(full, steps=steps, copies=copies) for steps, copies in CHEAPER]
    for recipe in track([*cheaper, full], "budget", len(CHEAPER) + 1):
        for site in places:
            drawn = draw_features(model, site, features)
            began = time.monotonic()
            found = visualize(model, Channels(site, drawn), recipe)
            rows.append(
                {
                    "steps": recipe.steps,
                    "copies": recipe.copies,
                    "site": site.kind,
                    "block": site.block,
                    "score": float(found.score.mean()),
                    "seconds": (time.monotonic() - began) / len(drawn),
                }
            )
    table = pd.DataFrame(rows)
    best = table[table["steps"] == full.steps].set_index(["site", "block"])["score"]
    table["share_of_full"] = table["score"] / table.set_index(["site", "block"]).index.map(best)
    summary = table.groupby(["steps", "copies"], sort=False)[["share_of_full", "seconds"]].mean().reset_index()
    summary["features"] = features * len(places)
    write_atomically(out, lambda path: summary.to_csv(path, index=False, float_format="%.3f"))
