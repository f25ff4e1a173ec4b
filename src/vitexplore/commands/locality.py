"""Measure spatial locality, block by block."""

import argparse

from vitexplore.commands.common import add_data, add_model, add_out, data_of, model_of
from vitexplore.data.images import spread
from vitexplore.experiments.locality import locality
from vitexplore.io import write_table
from vitexplore.provenance import of_model


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    parser.add_argument("--patch", type=int, required=True, help="side in pixels of the patch that is exchanged")
    add_out(parser, "Parquet: block, measure, image, value")


def run(args: argparse.Namespace) -> None:
    model, (images, data_hash) = model_of(args), data_of(args)
    indices = spread(len(images), args.images)
    table = locality(model, images, indices, args.patch, args.preprocessing, args.batch)
    write_table(args.out, table, of_model(model, data_hash, args.preprocessing))
