"""Measure accuracy on full images, foregrounds alone and backgrounds alone."""

import argparse
from typing import Any

import pandas as pd

from vitexplore.commands.common import add_common_size, add_data, add_models, add_out, at_sizes, measure_each
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import preprocess
from vitexplore.experiments.background import background_ranks, share_of_box_cropped
from vitexplore.models.heads import make_head
from vitexplore.models.registry import Model


def configure(parser: argparse.ArgumentParser) -> None:
    add_models(parser)
    add_data(parser)
    add_common_size(parser)
    add_out(parser, "Parquet: size (own, common), condition, fill, along, image, rank, cropped (of the box)")


def run(args: argparse.Namespace) -> None:
    measure_each(args, measure)


def measure(args: argparse.Namespace, model: Model, images: ImageSet) -> tuple[pd.DataFrame, dict[str, Any]]:
    frames = []
    for size, each in at_sizes(model, args.common_size).items():
        head = make_head(each, images.classes)
        ranks = background_ranks(each, head, images, args.preprocessing, args.batch, args.images, args.workers)
        shown = ranks["image"].unique()
        cropped = share_of_box_cropped(images, shown, preprocess(each.spec, args.preprocessing))
        by_image = pd.Series(cropped, index=shown)
        frames.append(ranks.assign(size=size, cropped=ranks["image"].map(by_image)))
    return pd.concat(frames, ignore_index=True), {"classes": len(images.classes)}
