"""Measure accuracy on low-pass filtered images."""

import argparse
from typing import Any

import pandas as pd

from vitexplore.commands.common import add_common_size, add_data, add_models, add_out, at_sizes, measure_each
from vitexplore.data.images import ImageSet, spread
from vitexplore.experiments.low_pass import low_pass_ranks
from vitexplore.models.heads import make_head
from vitexplore.models.registry import Model


def configure(parser: argparse.ArgumentParser) -> None:
    add_models(parser)
    add_data(parser)
    add_common_size(parser)
    add_out(parser, "Parquet: size (own, common), filter, strength, image, rank, rank_permuted")


def run(args: argparse.Namespace) -> None:
    measure_each(args, measure)


def measure(args: argparse.Namespace, model: Model, images: ImageSet) -> tuple[pd.DataFrame, dict[str, Any]]:
    indices = spread(len(images), args.images)
    frames = []
    for size, each in at_sizes(model, args.common_size).items():
        head = make_head(each, images.classes)
        ranks = low_pass_ranks(each, head, images, indices, args.preprocessing, args.batch, args.workers)
        frames.append(ranks.assign(size=size))
    return pd.concat(frames, ignore_index=True), {"classes": len(images.classes)}
