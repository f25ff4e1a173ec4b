"""Compare cheaper visualization recipes with the paper's full one, by clean activation: how a scale's budget is
chosen."""

import argparse
import time
from dataclasses import replace

import pandas as pd

from vitexplore.commands.common import add_model, add_out, model_of
from vitexplore.commands.visualize_sites import DEPTHS, block_sites, draw_features
from vitexplore.io import write_atomically
from vitexplore.models.sites import channels
from vitexplore.progress import track
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import visualize
from vitexplore.visualize.recipes import PAPER as FULL

SITES = ("query", "key", "value", "ffn")
CHEAPER = [
    replace(FULL, steps=steps, copies=copies) for steps, copies in ((50, 2), (50, 4), (100, 2), (100, 4), (200, 4))
]


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--features", type=int, default=3, help="how many features of each site and depth")
    add_out(parser, "CSV: steps, copies, share of the full recipe's clean activation, seconds a feature")


def run(args: argparse.Namespace) -> None:
    model = model_of(args)
    places = [site for depth in DEPTHS for site in block_sites(model, depth, SITES)]
    rows = []
    for recipe in track([*CHEAPER, FULL], "budget", len(CHEAPER) + 1):
        for site in places:
            features = draw_features(channels(model, site), args.features)
            began = time.monotonic()
            found = visualize(model, Channels(site, features), recipe)
            rows.append(
                {
                    "steps": recipe.steps,
                    "copies": recipe.copies,
                    "site": site.kind,
                    "block": site.block,
                    "score": float(found.score.mean()),
                    "seconds": (time.monotonic() - began) / len(features),
                }
            )
    table = pd.DataFrame(rows)
    full = table[table["steps"] == FULL.steps].set_index(["site", "block"])["score"]
    table["share_of_full"] = table["score"] / table.set_index(["site", "block"]).index.map(full)
    summary = table.groupby(["steps", "copies"], sort=False)[["share_of_full", "seconds"]].mean().reset_index()
    summary["features"] = args.features * len(places)
    write_atomically(args.out, lambda path: summary.to_csv(path, index=False, float_format="%.3f"))
