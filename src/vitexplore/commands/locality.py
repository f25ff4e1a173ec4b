"""Measure spatial locality and, in plain ViTs, how attention pools, block by block."""

import argparse
from typing import Any

import pandas as pd

from vitexplore.commands.common import add_data, add_models, add_out, measure_each
from vitexplore.data.images import ImageSet, spread
from vitexplore.experiments.locality import locality
from vitexplore.experiments.pooling import pooling
from vitexplore.models.heads import make_head
from vitexplore.models.registry import Model
from vitexplore.models.surgery import OpenViT


def configure(parser: argparse.ArgumentParser) -> None:
    add_models(parser)
    add_data(parser)
    parser.add_argument("--patch", type=int, required=True, help="side in pixels of the patch that is exchanged")
    add_out(parser, "Parquet: block, measure, image, value")


def run(args: argparse.Namespace) -> None:
    measure_each(args, measure)


def measure(args: argparse.Namespace, model: Model, images: ImageSet) -> tuple[pd.DataFrame, dict[str, Any]]:
    indices, how = spread(len(images), args.images), args.preprocessing
    table = locality(model, images, indices, args.patch, how, args.batch, args.workers)
    if OpenViT.applies(model):
        head = make_head(model, images.classes)
        table = pd.concat([table, pooling(model, head, images, indices, how, args.batch, args.workers)])
    return table, {}
