"""Describe images by a judge model: its embedding of each image, and how to read it."""

import argparse

import pandas as pd
import torch

from vitexplore.commands.common import add_data, add_model, add_out, data_of, model_of
from vitexplore.data.images import batches, preprocess, spread
from vitexplore.io import write_table
from vitexplore.models.registry import embed
from vitexplore.progress import track
from vitexplore.provenance import of_model


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    add_out(parser, "Parquet: image, embedding")


@torch.no_grad()
def run(args: argparse.Namespace) -> None:
    model, (images, data_hash) = model_of(args), data_of(args)
    indices = spread(len(images), args.images)
    transform = preprocess(model.spec, args.preprocessing)
    rows = []
    for _, pictures in track(batches(images, transform, indices, args.batch), "embed", len(indices) / args.batch):
        rows += list(embed(model, pictures.to(model.device)).cpu().numpy())
    table = pd.DataFrame({"image": indices, "embedding": rows})
    write_table(args.out, table, of_model(model, data_hash, args.preprocessing))
