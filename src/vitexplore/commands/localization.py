"""Compare every feature's activation maps with the objects' masks."""

import argparse
from typing import Any

import pandas as pd

from vitexplore.commands.common import add_data, add_models, add_out, measure_each
from vitexplore.data.images import ImageSet, spread
from vitexplore.experiments.localization import localization
from vitexplore.models.registry import Model


def configure(parser: argparse.ArgumentParser) -> None:
    add_models(parser)
    add_data(parser)
    parser.add_argument("--features", type=int, required=True, help="features of each block at most")
    add_out(parser, "Parquet: block, feature, image, auroc, control")


def run(args: argparse.Namespace) -> None:
    measure_each(args, measure)


def measure(args: argparse.Namespace, model: Model, images: ImageSet) -> tuple[pd.DataFrame, dict[str, Any]]:
    known = images.has_boxes.nonzero()[0]
    indices = known[spread(len(known), args.images)]
    return localization(model, images, indices, args.preprocessing, args.features, args.batch, args.workers), {}
