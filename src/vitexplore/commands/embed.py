"""Describe images by a judge model: its embedding of each image, and how to read it."""

import argparse

import pandas as pd
import torch

from vitexplore.commands.common import add_data, add_model, add_out, data_of, model_of
from vitexplore.data.images import spread
from vitexplore.data.loading import preprocessed
from vitexplore.io import write_table
from vitexplore.models.registry import embed
from vitexplore.provenance import of_model


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    add_out(parser, "Parquet: image, embedding")


@torch.no_grad()
def run(args: argparse.Namespace) -> None:
    model, (images, data_hash) = model_of(args), data_of(args)
    indices = spread(len(images), args.images)
    rows = []
    for _, pictures in preprocessed(model.spec, images, indices, args.preprocessing, args.batch, args.workers):
        rows += list(embed(model, pictures.to(model.device)).cpu().numpy())
    table = pd.DataFrame({"image": indices, "embedding": rows})
    write_table(args.out, table, of_model(model, data_hash, args.preprocessing))
