"""Compare every feature's activation maps with the objects' masks."""

import argparse

from vitexplore.commands.common import add_data, add_model, add_out, data_of, model_of
from vitexplore.data.images import spread
from vitexplore.experiments.localization import localization
from vitexplore.io import write_table
from vitexplore.provenance import of_model


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    parser.add_argument("--features", type=int, required=True, help="features of each block at most")
    add_out(parser, "Parquet: block, feature, image, auroc, control")


def run(args: argparse.Namespace) -> None:
    model, (images, data_hash) = model_of(args), data_of(args)
    known = images.has_boxes.nonzero()[0]
    indices = known[spread(len(known), args.images)]
    table = localization(model, images, indices, args.preprocessing, args.features, args.batch, args.workers)
    write_table(args.out, table, of_model(model, data_hash, args.preprocessing))
