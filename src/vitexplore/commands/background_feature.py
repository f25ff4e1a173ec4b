"""Show the feature that answers most to the background and least to the object (paper Fig. 7)."""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from torchvision.transforms.functional import to_pil_image

from vitexplore import plots
from vitexplore.commands.common import add_model, model_of
from vitexplore.data.images import ImageSet
from vitexplore.io import write_atomically
from vitexplore.models.sites import Site
from vitexplore.stats import halves
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import visualize
from vitexplore.visualize.recipes import recipe_for


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--localization", type=Path, required=True, help="what `localization` wrote")
    parser.add_argument("--top", type=Path, required=True, help="what `collect` wrote")
    parser.add_argument("--maps", type=Path, required=True, help="what `collect` wrote")
    parser.add_argument("--recipe", required=True, help='as JSON, such as {"name": "ours"}')
    parser.add_argument("--out", type=Path, required=True, help="CSV: site, block, feature, chosen_by, auroc")
    parser.add_argument("--figure", type=Path, required=True)


def run(args: argparse.Namespace) -> None:
    model = model_of(args)
    block, feature, chosen_by, auroc = choose(pd.read_parquet(args.localization), model.spec.name)
    site = Site("ffn" if model.is_vit else "channel", block)
    recipe = recipe_for(family=model.spec.family, **json.loads(args.recipe))
    picture = to_pil_image(visualize(model, Channels(site, (feature,)), recipe).images[0])
    top = pd.read_parquet(args.top)
    mine = top[(top["site"] == site.kind) & (top["block"] == block) & (top["feature"] == feature)].sort_values("place")
    images = ImageSet.read(args.data)
    with np.load(args.maps) as stored:
        maps = stored[f"{site.kind}_{block}"][feature].astype(np.float32)
    shown = [picture, *(images.image(index) for index in mine["image"])]
    blank = np.full_like(maps[:1], maps.min())  # the visualization stays bare
    title = (
        f"{model.spec.name} {site.kind} {block}.{feature}: the background's feature (AUROC on the object {auroc:.2f})"
    )
    plots.save(plots.images_with_maps([("", shown, np.concatenate([blank, maps]))], title), args.figure)
    row = {"site": site.kind, "block": block, "feature": feature, "chosen_by": chosen_by, "auroc": auroc}
    write_atomically(args.out, lambda path: pd.DataFrame([row]).to_csv(path, index=False, float_format="%.4f"))


def choose(table: pd.DataFrame, model: str) -> tuple[int, int, float, float]:
    """Block and feature of ``model``'s lowest AUROC against the object on one half of the images, and that AUROC on
    both halves: the one chosen by, and the other. Other models may stand in ``table`` too."""
    table = table[table["model"] == model]
    images = np.sort(table["image"].unique())
    first, second = (images[half] for half in halves(len(images)))
    by_feature = [
        table[table["image"].isin(half)].groupby(["block", "feature"])["auroc"].mean() for half in (first, second)
    ]
    block, feature = by_feature[0].idxmin()
    return int(block), int(feature), float(by_feature[0].min()), float(by_feature[1].loc[(block, feature)])
