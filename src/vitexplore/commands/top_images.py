"""Find the images of a folder that activate some features most, and draw them with the features' maps."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore import plots
from vitexplore.activations.collect import Ranking, collect, maps_of
from vitexplore.commands.common import add_example, add_named_model, integers, named_model_of
from vitexplore.data.images import ImageSet
from vitexplore.data.photos import folder_of_photos
from vitexplore.data.scene_sets import scene_set
from vitexplore.errors import InputError
from vitexplore.io import write_table
from vitexplore.models.sites import Site, channels
from vitexplore.provenance import of_model


def configure(parser: argparse.ArgumentParser) -> None:
    example = "vitexplore top-images --model lab/vit --site ffn --block 5 --features 0:8 --scenes 500 --out top"
    add_example(parser, example, "Writes top.parquet (feature, place, image, score) and top.png.")
    add_named_model(parser)
    parser.add_argument("--site", required=True, help="ffn, query, key, value, attention_out, block or channel")
    parser.add_argument("--block", type=int, required=True)
    parser.add_argument("--features", default="0:8", help="channels: 7, or 0:32, or 3,17; `:` for all")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--images", type=Path, help="folder of pictures, searched through")
    source.add_argument("--scenes", type=int, help="how many of the lab's test scenes to render")
    parser.add_argument("--k", type=int, default=8, help="images for each feature")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--out", type=Path, required=True, help="folder")


def run(args: argparse.Namespace) -> None:
    if args.k < 1 or (args.scenes is not None and args.scenes < 1):
        raise InputError("--k and --scenes must be at least 1")
    model, site = named_model_of(args), Site(args.site, args.block)
    features = integers(args.features, channels(model, site), "--features")
    images = folder_of_photos(args.images) if args.images else scene_set("test", args.scenes)
    everything = np.arange(len(images))
    tops = collect(model, images, everything, [site], min(args.k, len(images)), batch=args.batch)
    top = tops[site].of(features)
    maps = maps_of(model, images, {site: top}, batch=args.batch)[site]
    table = pd.DataFrame(
        {
            "feature": np.repeat(top.features, top.images.shape[1]),
            "place": np.tile(np.arange(top.images.shape[1]), len(features)),
            "image": images.table["name"].to_numpy()[top.images.reshape(-1)],
            "score": top.scores.reshape(-1),
        }
    )
    write_table(args.out / "top.parquet", table, of_model(model, "", "own"))
    title = f"{model.spec.name}, {site.kind} {site.block}: most activating images and the feature's map"
    plots.save(figure(images, top, maps, title), args.out / "top.png")


def figure(images: ImageSet, top: Ranking, maps: np.ndarray, title: str) -> Figure:
    """One row a feature."""
    shown = zip(top.features, top.images, maps, strict=True)
    rows = [(str(feature), [images.image(winner) for winner in winners], heat) for feature, winners, heat in shown]
    return plots.images_with_maps(rows, title)
