"""Isolate CLS up to each block, and put the classifier on each patch."""

import argparse
from typing import Any

import pandas as pd

from vitexplore.commands.common import add_data, add_models, add_out, measure_each
from vitexplore.data.images import ImageSet, spread
from vitexplore.experiments.token_mixing import token_mixing_ranks
from vitexplore.models.heads import make_head
from vitexplore.models.registry import Model


def configure(parser: argparse.ArgumentParser) -> None:
    add_models(parser)
    add_data(parser)
    add_out(parser, "Parquet: surgery, at, image, rank")


def run(args: argparse.Namespace) -> None:
    measure_each(args, measure)


def measure(args: argparse.Namespace, model: Model, images: ImageSet) -> tuple[pd.DataFrame, dict[str, Any]]:
    head = make_head(model, images.classes)
    indices = spread(len(images), args.images)
    table = token_mixing_ranks(model, head, images, indices, args.preprocessing, args.batch, args.workers)
    return table, {"classes": len(images.classes)}
