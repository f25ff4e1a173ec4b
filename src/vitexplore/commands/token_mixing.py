"""Isolate CLS up to each block, and put the classifier on each patch."""

import argparse

from vitexplore.commands.common import add_data, add_model, add_out, data_of, model_of
from vitexplore.data.images import spread
from vitexplore.experiments.token_mixing import token_mixing_ranks
from vitexplore.io import write_table
from vitexplore.models.heads import make_head
from vitexplore.provenance import of_model


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    add_out(parser, "Parquet: surgery, at, image, rank")


def run(args: argparse.Namespace) -> None:
    model, (images, data_hash) = model_of(args), data_of(args)
    head = make_head(model, images.classes)
    indices = spread(len(images), args.images)
    table = token_mixing_ranks(model, head, images, indices, args.preprocessing, args.batch, args.workers)
    write_table(args.out, table, of_model(model, data_hash, args.preprocessing) | {"classes": len(images.classes)})
