"""Options that several commands share, and what they stand for."""

import argparse
import json
from pathlib import Path

import torch

from vitexplore.data.images import PREPROCESSINGS, ImageSet
from vitexplore.errors import InputError
from vitexplore.models.registry import Model, ModelSpec, load, pick_device


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--spec", required=True, help='a model as JSON, such as {"name": "vit", "source": "lab", ...}')
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder that `scenes` or `index` wrote")
    parser.add_argument("--images", type=int, required=True, help="how many images to use at most")
    parser.add_argument("--preprocessing", choices=PREPROCESSINGS, default="own")
    parser.add_argument("--batch", type=int, default=64)


def add_out(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--out", type=Path, required=True, help=what)


def spec_of(text: str) -> ModelSpec:
    """A model spec from JSON. Raises InputError for unknown keys."""
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(text).items()}
    try:
        return ModelSpec(**values)
    except TypeError as error:
        raise InputError(f"model {values.get('name', '?')}: {error}") from error


def model_of(args: argparse.Namespace) -> Model:
    """The model of ``--spec``, on its device."""
    torch.set_num_threads(args.threads)
    return load(spec_of(args.spec), pick_device(args.device))


def data_of(args: argparse.Namespace) -> tuple[ImageSet, str]:
    """The image set of ``--data`` and its hash."""
    return ImageSet.read(args.data), json.loads((args.data / "provenance.json").read_text())["hash"]
