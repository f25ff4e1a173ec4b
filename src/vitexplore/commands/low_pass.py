"""Measure accuracy on low-pass filtered images."""

import argparse

import pandas as pd

from vitexplore.commands.common import add_common_size, add_data, add_model, add_out, at_sizes, data_of
from vitexplore.data.images import spread
from vitexplore.experiments.low_pass import low_pass_ranks
from vitexplore.io import write_table
from vitexplore.models.heads import make_head
from vitexplore.provenance import of_model


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    add_common_size(parser)
    add_out(parser, "Parquet: size (own, common), filter, strength, image, rank, rank_permuted")


def run(args: argparse.Namespace) -> None:
    models, (images, data_hash) = at_sizes(args), data_of(args)
    indices = spread(len(images), args.images)
    frames = []
    for size, each in models.items():
        head = make_head(each, images.classes)
        ranks = low_pass_ranks(each, head, images, indices, args.preprocessing, args.batch, args.workers)
        frames.append(ranks.assign(size=size))
    columns = of_model(models["own"], data_hash, args.preprocessing) | {"classes": len(images.classes)}
    write_table(args.out, pd.concat(frames, ignore_index=True), columns)
