"""Collect the most activating images of every feature of a model in one pass."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from vitexplore.activations.collect import TopImages, collect
from vitexplore.commands.common import add_data, add_model, data_of, model_of
from vitexplore.data.images import spread
from vitexplore.io import write_atomically, write_table
from vitexplore.models.sites import Site, sites
from vitexplore.provenance import of_model


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    parser.add_argument("--k", type=int, default=10, help="images to keep for each feature")
    parser.add_argument(
        "--sites", nargs="+", required=True, help="kinds of sites; those that the model lacks are passed"
    )
    parser.add_argument("--out", type=Path, required=True, help="Parquet: site, block, feature, place, image, score")
    parser.add_argument("--maps", type=Path, required=True, help="npz: the winners' maps [f, k, h, w] of each site")


def run(args: argparse.Namespace) -> None:
    model, (images, data_hash) = model_of(args), data_of(args)
    indices = spread(len(images), args.images)
    available = sites(model)
    wanted = [Site(kind, block) for kind in args.sites if kind in available for block in range(available[kind])]
    k = min(args.k, len(indices))
    tops = collect(model, images, indices, wanted, k, args.preprocessing, args.batch)
    table = pd.concat([frame(site, top) for site, top in tops.items()], ignore_index=True)
    maps = {f"{site.kind}_{site.block}": shaped(top) for site, top in tops.items()}
    write_atomically(args.maps, lambda path: np.savez_compressed(path, **maps))
    write_table(args.out, table, of_model(model, data_hash, args.preprocessing))


def frame(site: Site, top: TopImages) -> pd.DataFrame:
    """One row for each feature and place, best first."""
    features, k = top.scores.shape
    return pd.DataFrame(
        {
            "site": site.kind,
            "block": np.int16(site.block),
            "feature": np.repeat(np.arange(features, dtype=np.int32), k),
            "place": np.tile(np.arange(k, dtype=np.int16), features),
            "image": top.images.cpu().numpy().reshape(-1),
            "score": top.scores.cpu().numpy().reshape(-1),
        }
    )


def shaped(top: TopImages) -> np.ndarray:
    """float16 [features, k, h, w]."""
    return top.maps.cpu().numpy().astype(np.float16).reshape(*top.scores.shape, *top.grid)
