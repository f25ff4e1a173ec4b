"""Make the first pass of `collect` over one part of the data."""

import argparse

from vitexplore.activations.collect import shard_of, stream
from vitexplore.commands.collect import add_collection, layout_of
from vitexplore.commands.common import add_out, data_of, model_of
from vitexplore.data.images import spread


def configure(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument("--shard", type=int, required=True, help="which part, counted from 0")
    parser.add_argument("--shards", type=int, required=True, help="how many parts there are")
    add_out(parser, "npz: what is kept of each feature, for `collect --shards`")


def run(args: argparse.Namespace) -> None:
    model, (images, _) = model_of(args), data_of(args)
    indices, layout = spread(len(images), args.images), layout_of(model, args.sites)
    part = shard_of(len(indices), args.batch, args.shard, args.shards)
    k = min(args.k, len(indices))
    running = stream(model, images, indices, layout, k, args.preprocessing, args.batch, args.workers, part)
    running.save(args.out)
