"""Measure spatial locality and, in plain ViTs, how attention pools, block by block."""

import argparse

import pandas as pd

from vitexplore.commands.common import add_data, add_model, add_out, data_of, model_of
from vitexplore.data.images import spread
from vitexplore.experiments.locality import locality
from vitexplore.experiments.pooling import pooling
from vitexplore.io import write_table
from vitexplore.models.heads import make_head
from vitexplore.models.surgery import OpenViT
from vitexplore.provenance import of_model


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    parser.add_argument("--patch", type=int, required=True, help="side in pixels of the patch that is exchanged")
    add_out(parser, "Parquet: block, measure, image, value")


def run(args: argparse.Namespace) -> None:
    model, (images, data_hash) = model_of(args), data_of(args)
    indices = spread(len(images), args.images)
    how = args.preprocessing
    table = locality(model, images, indices, args.patch, how, args.batch, args.workers)
    if OpenViT.applies(model):
        head = make_head(model, images.classes)
        table = pd.concat([table, pooling(model, head, images, indices, how, args.batch, args.workers)])
    write_table(args.out, table, of_model(model, data_hash, how))
