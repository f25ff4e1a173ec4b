"""Measure accuracy on full images, foregrounds alone and backgrounds alone."""

import argparse

from vitexplore.commands.common import add_data, add_model, add_out, data_of, model_of
from vitexplore.experiments.background import background_ranks
from vitexplore.io import write_table
from vitexplore.models.heads import make_head
from vitexplore.provenance import of_model


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    add_out(parser, "Parquet: condition, image, rank")


def run(args: argparse.Namespace) -> None:
    model, (images, data_hash) = model_of(args), data_of(args)
    head = make_head(model, images.classes)
    ranks = background_ranks(model, head, images, args.preprocessing, args.batch, args.images)
    write_table(args.out, ranks, of_model(model, data_hash, args.preprocessing) | {"classes": len(images.classes)})
