"""Visualize some features of one depth's sites, and score them: what the claims about visualizations read."""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vitexplore import plots
from vitexplore.activations.collect import collect
from vitexplore.commands.collect import frame
from vitexplore.commands.common import add_data, add_model, data_of, model_of, spec_of
from vitexplore.data.images import ImageSet, spread
from vitexplore.io import write_table
from vitexplore.models.registry import Model, load, pick_device
from vitexplore.models.sites import Site, channels, sites
from vitexplore.progress import meter
from vitexplore.provenance import of_model
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import Checkpoint, visualize
from vitexplore.visualize.recipes import Recipe, recipe_for, without
from vitexplore.visualize.score import Judge, Sample, loss_table, score_table

DEPTHS = {"early": 0.15, "middle": 0.5, "late": 0.85}  # of the way from the first block to the last


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    parser.add_argument("--depth", choices=DEPTHS, required=True)
    parser.add_argument("--sites", nargs="+", default=["query", "key", "value", "ffn", "channel"], help="which, if any")
    parser.add_argument("--features", type=int, required=True, help="how many features of each site, drawn once")
    parser.add_argument("--recipes", required=True, help='a JSON list, such as [{"name": "paper", "steps": 100}]')
    parser.add_argument("--left-out", nargs="*", default=[], help="parts of the recipes to leave out in turn")
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0, 1, ... of each visualization")
    exemplars = parser.add_mutually_exclusive_group(required=True)
    exemplars.add_argument("--top", type=Path, help="what `collect` wrote for this model")
    exemplars.add_argument("--top-images", type=int, help="how many images at most to find the same in, here")
    parser.add_argument("--k", type=int, default=10, help="images to keep for each feature, where they are found here")
    parser.add_argument("--judge", help="another model, as JSON, that says whose feature a picture shows")
    parser.add_argument("--embeddings", type=Path, help="what `embed` wrote for the judge")
    parser.add_argument("--out", type=Path, required=True, help="Parquet: a row for each feature, with its picture")
    parser.add_argument("--losses", type=Path, required=True, help="Parquet: site, block, feature, step, loss")


def run(args: argparse.Namespace) -> None:
    model, (images, data_hash) = model_of(args), data_of(args)
    judge = judge_of(args)
    sample = Sample(images, spread(len(images), args.images), args.preprocessing, args.batch)
    recipes = [recipe for change in json.loads(args.recipes) for recipe in in_turn(model, change, args.left_out)]
    wanted = block_sites(model, args.depth, args.sites)
    top = top_of(args, model, images, wanted)
    natural = sample.scores(model, wanted)
    drawn = {site: draw_features(channels(model, site), args.features) for site in wanted}
    total = len(recipes) * args.seeds * sum(len(features) for features in drawn.values())
    scores, losses, unfinished = [], [], args.out.with_name(f".{args.out.stem}")
    with meter(f"{model.spec.name} {args.depth}", total, "features") as tell:
        for site, features in drawn.items():
            for label, recipe in recipes:
                runs = []
                for seed in range(args.seeds):
                    kept = Checkpoint(unfinished / f"{site.kind}_{label}_{seed}", keep=True)
                    runs.append(visualize(model, Channels(site, features), recipe, seed, None, kept, tell))
                mine = top[(top["site"] == site.kind) & (top["block"] == site.block)]
                rows = score_table(model, site, features, runs, sample, natural[site], mine, judge)
                rows["picture"] = [plots.encode(image) for image in runs[0].images]
                scores.append(rows.assign(depth=args.depth, variant=label, recipe=json.dumps(vars(recipe))))
                losses.append(loss_table(features, runs[0], site=site.kind, block=site.block, variant=label))
    provenance = of_model(model, data_hash, args.preprocessing) | {"batch": runs[0].batch}
    write_table(args.losses, pd.concat(losses, ignore_index=True), provenance)
    write_table(args.out, pd.concat(scores, ignore_index=True), provenance)
    shutil.rmtree(unfinished)


def top_of(args: argparse.Namespace, model: Model, images: ImageSet, wanted: Sequence[Site]) -> pd.DataFrame:
    """The images that activate each feature of ``wanted`` most, as `collect` writes them: what it wrote, or the same
    found here."""
    if args.top:
        return pd.read_parquet(args.top, columns=["site", "block", "feature", "place", "image", "score"])
    indices = spread(len(images), args.top_images)
    loading = (args.preprocessing, args.batch, args.workers)
    rankings = collect(model, images, indices, wanted, min(args.k, len(indices)), *loading)
    return pd.concat([frame(site, ranking) for site, ranking in rankings.items()], ignore_index=True)


def judge_of(args: argparse.Namespace) -> Judge | None:
    if not args.judge:
        return None
    embeddings = pd.read_parquet(args.embeddings).set_index("image")["embedding"]
    return Judge(load(spec_of(args.judge), pick_device(args.device)), embeddings)


def in_turn(model: Model, change: dict, left_out: Sequence[str]) -> list[tuple[str, Recipe]]:
    """A recipe, whole and less each of those parts that it has, each with its label. One with a total variation weight
    of its own is a point of a sweep: whole alone."""
    recipe = recipe_for(family=model.spec.family, **change)
    if "tv" in change:
        return [(f"{recipe.name}, tv {recipe.tv:g}", recipe)]
    parts = {part: without(recipe, part) for part in left_out}
    return [(recipe.name, recipe), *((f"{recipe.name}-{part}", less) for part, less in parts.items() if less != recipe)]


def block_sites(model: Model, depth: str, kinds: Sequence[str]) -> list[Site]:
    """Those of ``kinds`` that ``model`` has, at the block that lies ``depth`` of the way in."""
    available = sites(model)
    return [Site(kind, round(DEPTHS[depth] * (available[kind] - 1))) for kind in kinds if kind in available]


def draw_features(count: int, wanted: int) -> tuple[int, ...]:
    """``wanted`` of ``count`` channels, drawn once and for all, sorted."""
    return tuple(sorted(np.random.default_rng(0).permutation(count)[:wanted].tolist()))
