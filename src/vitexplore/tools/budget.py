"""Compare cheaper visualization recipes with the paper's full one, by clean activation: how a scale's budget is
chosen."""

import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

from vitexplore.activations.pooled import pooled
from vitexplore.data.loading import Loader
from vitexplore.data.scene_sets import scene_set
from vitexplore.io import write_atomically
from vitexplore.models.catalogue import named
from vitexplore.models.registry import load, pick_device
from vitexplore.progress import track
from vitexplore.threads import use_threads
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import visualize
from vitexplore.visualize.recipes import DEPTHS, recipe_for
from vitexplore.visualize.study import block_sites, draw_features

NATURAL = 200  # scenes that a visualization is compared with
MODEL, SITES = "lab/vit", ("query", "key", "value", "ffn")
CHEAPER = ((50, 2), (50, 4), (100, 2), (100, 3), (100, 4), (200, 4))  # steps and copies


def budget(device: str, threads: int, out: Path, features: int = 3) -> None:
    """Write a CSV: steps, copies, ``driven``, ``share_of_full`` (of the full recipe's), seconds a feature; over
    ``features`` of each site and depth of the lab's ViT. ``driven``: the clean activation in standard deviations of
    natural images' above their mean, mean over features: sites differ in scale, and a ratio of activations near 0
    says nothing."""
    use_threads(threads)
    model = load(named(MODEL), pick_device(device))
    places = [site for depth in DEPTHS for site in block_sites(model, depth, SITES)]
    natural = pooled(model, places, Loader(scene_set("test", NATURAL)))
    full, rows = recipe_for("paper", model.spec), []
    cheaper = [replace(full, steps=steps, copies=copies) for steps, copies in CHEAPER]
    for recipe in track([*cheaper, full], "budget", len(CHEAPER) + 1):
        for site in places:
            drawn = draw_features(model, site, features)
            began = time.monotonic()
            found = visualize(model, Channels(site, drawn), recipe)
            seconds = (time.monotonic() - began) / len(drawn)
            images = natural[site][:, list(drawn)]
            driven = ((found.score - images.mean(0)) / images.std(0)).mean()
            rows.append({"steps": recipe.steps, "copies": recipe.copies, "driven": float(driven), "seconds": seconds})
    summary = pd.DataFrame(rows).groupby(["steps", "copies"], sort=False).mean().reset_index()
    summary.insert(3, "share_of_full", summary["driven"] / summary["driven"].iloc[-1])
    summary["features"] = features * len(places)
    write_atomically(out, lambda path: summary.to_csv(path, index=False, float_format="%.3f"))
