"""Measure accuracy on full images, foregrounds alone and backgrounds alone."""

import argparse

import pandas as pd

from vitexplore.commands.common import add_common_size, add_data, add_model, add_out, at_sizes, data_of
from vitexplore.data.loading import preprocess
from vitexplore.experiments.background import background_ranks, share_of_box_cropped
from vitexplore.io import write_table
from vitexplore.models.heads import make_head
from vitexplore.provenance import of_model


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    add_common_size(parser)
    add_out(parser, "Parquet: size (own, common), condition, fill, along, image, rank, cropped (of the box)")


def run(args: argparse.Namespace) -> None:
    models, (images, data_hash) = at_sizes(args), data_of(args)
    frames = []
    for size, each in models.items():
        head = make_head(each, images.classes)
        ranks = background_ranks(each, head, images, args.preprocessing, args.batch, args.images, args.workers)
        shown = ranks["image"].unique()
        cropped = share_of_box_cropped(images, shown, preprocess(each.spec, args.preprocessing))
        by_image = pd.Series(cropped, index=shown)
        frames.append(ranks.assign(size=size, cropped=ranks["image"].map(by_image)))
    columns = of_model(models["own"], data_hash, args.preprocessing) | {"classes": len(images.classes)}
    write_table(args.out, pd.concat(frames, ignore_index=True), columns)
