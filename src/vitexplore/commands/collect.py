"""Collect the most activating images of every feature of a model, their maps, and the features' statistics."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vitexplore.activations import sketch
from vitexplore.activations.collect import Ranking, maps_of, ranked, stream, widths
from vitexplore.activations.running import Running
from vitexplore.commands.common import add_data, add_model, data_of, model_of
from vitexplore.data.images import spread
from vitexplore.errors import InputError
from vitexplore.io import write_atomically, write_table
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, sites
from vitexplore.provenance import of_model

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)  # the quantiles q01 to q99


def configure(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument(
        "--shards", type=Path, nargs="+", help="what `collect_shard` wrote, all of it; else the first pass is made here"
    )
    parser.add_argument("--out", type=Path, required=True, help="Parquet: site, block, feature, place, image, score")
    parser.add_argument("--maps", type=Path, required=True, help="npz: the winners' maps [f, k, h, w] of each site")
    parser.add_argument(
        "--features", type=Path, required=True, help="Parquet: site, block, feature, n, mean, variance, q01 to q99"
    )


def add_collection(parser: argparse.ArgumentParser) -> None:
    """What is to be collected, for `collect` and `collect_shard`."""
    add_model(parser)
    add_data(parser)
    parser.add_argument("--k", type=int, default=10, help="images to keep for each feature")
    parser.add_argument(
        "--sites", nargs="+", required=True, help="kinds of sites; those that the model lacks are passed"
    )


def run(args: argparse.Namespace) -> None:
    model, (images, data_hash) = model_of(args), data_of(args)
    indices, layout = spread(len(images), args.images), layout_of(model, args.sites)
    loading = (args.preprocessing, args.batch, args.workers)
    if args.shards:
        running = merged(args.shards, len(indices), sum(layout.values()))
    else:
        running = stream(model, images, indices, layout, min(args.k, len(indices)), *loading)
    rankings = ranked(running, layout, indices)
    maps = {f"{site.kind}_{site.block}": found for site, found in maps_of(model, images, rankings, *loading).items()}
    write_atomically(args.maps, lambda path: np.savez_compressed(path, **maps))
    provenance = of_model(model, data_hash, args.preprocessing)
    write_table(args.features, statistics(running, layout), provenance)
    table = pd.concat([frame(site, ranking) for site, ranking in rankings.items()], ignore_index=True)
    write_table(args.out, table, provenance)


def layout_of(model: Model, kinds: Sequence[str]) -> dict[Site, int]:
    """Those of ``kinds`` that ``model`` has, in all blocks, and how many features each has. Raises InputError where it
    has none."""
    available = sites(model)
    wanted = [Site(kind, block) for kind in kinds if kind in available for block in range(available[kind])]
    if not wanted:
        raise InputError(f"{model.spec.name} has no site {' or '.join(kinds)}; it has {', '.join(available)}")
    return widths(model, wanted)


def merged(shards: Sequence[Path], images: int, features: int) -> Running:
    """What is kept of all shards together. Raises InputError where that is of other numbers of images and features."""
    running = Running.load(shards[0])
    for shard in shards[1:]:
        running.merge(Running.load(shard))
    if (running.n, len(running.best)) != (images, features):
        found = f"{running.n} images and {len(running.best)} features"
        raise InputError(f"{shards[0].parent}: shards of {found}, not {images} and {features}; collect them anew")
    return running


def frame(site: Site, ranking: Ranking) -> pd.DataFrame:
    """One row for each feature and place, best first."""
    features, k = ranking.scores.shape
    return pd.DataFrame(
        {
            "site": site.kind,
            "block": np.int16(site.block),
            "feature": np.repeat(ranking.features.astype(np.int32), k),
            "place": np.tile(np.arange(k, dtype=np.int16), features),
            "image": ranking.images.reshape(-1),
            "score": ranking.scores.reshape(-1),
        }
    )


def statistics(running: Running, layout: dict[Site, int]) -> pd.DataFrame:
    """One row for each feature of ``layout``: ``n`` images, and the mean, variance and quantiles of their scores."""
    widths = list(layout.values())
    table = pd.DataFrame(
        {
            "site": np.repeat([site.kind for site in layout], widths),
            "block": np.repeat([np.int16(site.block) for site in layout], widths),
            "feature": np.concatenate([np.arange(width, dtype=np.int32) for width in widths]),
            "n": running.n,
            "mean": running.mean.cpu().numpy(),
            "variance": running.variance.cpu().numpy(),
        }
    )
    names = [f"q{round(100 * level):02d}" for level in LEVELS]
    return table.join(pd.DataFrame(sketch.quantiles(running.counts, LEVELS), columns=names))
