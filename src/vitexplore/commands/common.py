"""Options that several commands share, and what they stand for."""

import argparse
import json
import os
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from vitexplore.data.images import ImageSet
from vitexplore.data.loading import PREPROCESSINGS
from vitexplore.errors import InputError
from vitexplore.io import write_tables
from vitexplore.models.catalogue import named
from vitexplore.models.registry import Model, ModelSpec, load, pick_device
from vitexplore.provenance import of_model

Measure = Callable[[argparse.Namespace, Model, ImageSet], tuple[pd.DataFrame, dict[str, Any]]]


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--spec", required=True, help='a model as JSON, such as {"name": "vit", "source": "lab", ...}')
    _add_device(parser)


def add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--spec", required=True, nargs="+", help="models as JSON, measured one after the other")
    _add_device(parser)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder that `scenes` or `index` wrote")
    parser.add_argument("--images", type=int, required=True, help="how many images to use at most")
    parser.add_argument("--preprocessing", choices=PREPROCESSINGS, default="own")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=0, help="processes that read images ahead")


def add_common_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--common_size", type=int, default=0, help="pixels: measure at this input size too (no CLIPs)")


def add_out(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--out", type=Path, required=True, help=what)


def add_example(parser: argparse.ArgumentParser, example: str, more: str = "") -> None:
    parser.epilog = "\n\n".join([*textwrap.wrap(more, 100), f"example:\n  {example}"])
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def add_named_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="such as lab/vit or timm/TAG; see `vitexplore models`")
    parser.add_argument("--checkpoint", help="your own weights: a safetensors file, or a plain state dict")
    parser.add_argument("--image-size", type=int, default=0, help="pixels; the model's own if left out")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument("--threads", type=int, default=os.cpu_count())


def named_model_of(args: argparse.Namespace) -> Model:
    torch.set_num_threads(args.threads)
    weights = {"weights": args.checkpoint} if args.checkpoint else {}
    return load(named(args.model, input_size=args.image_size, **weights), pick_device(args.device))


def integers(text: str, count: int, option: str) -> tuple[int, ...]:
    """``5``, ``0:12`` (up to, not with, 12; either end may be left out) and lists of both, below ``count``. Raises
    InputError, naming ``option``, for anything else."""
    found: list[int] = []
    for part in text.split(","):
        try:
            first, colon, last = part.partition(":")
            wanted = range(int(first or 0), min(int(last or count), count)) if colon else [int(first)]
        except ValueError:
            raise InputError(f"{option} {text!r}: write 5, or 0:12, or 0,5,11") from None
        if not wanted or not 0 <= wanted[0] < count:
            raise InputError(f"{option} {text!r}: there are 0 to {count - 1}")
        found += wanted
    return tuple(dict.fromkeys(found))


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


def models_of(args: argparse.Namespace) -> Iterator[Model]:
    """The models of ``--spec``, one after the other, on their device."""
    torch.set_num_threads(args.threads)
    for text in args.spec:
        yield load(spec_of(text), pick_device(args.device))


def measure_each(args: argparse.Namespace, measure: Measure) -> None:
    """Write to ``--out`` what ``measure`` finds of each model of ``--spec``, under each other: a table, and further
    columns of one value each."""
    (images, data_hash), parts = data_of(args), []
    for model in models_of(args):
        table, columns = measure(args, model, images)
        parts.append((table, of_model(model, data_hash, args.preprocessing) | columns))
    write_tables(args.out, parts)


def at_sizes(model: Model, common_size: int) -> dict[str, Model]:
    """``model`` at its ``own`` input size and, where ``common_size`` is another (in pixels; 0 for none), at the
    ``common`` one. CLIPs stay at their own: their position embeddings are not resampled."""
    models = {"own": model}
    if common_size not in (0, model.spec.input_size) and model.spec.family != "clip":
        models["common"] = load(replace(model.spec, input_size=common_size), model.device)
    return models


def data_of(args: argparse.Namespace) -> tuple[ImageSet, str]:
    """The image set of ``--data`` and its hash."""
    return ImageSet.read(args.data), json.loads((args.data / "provenance.json").read_text())["hash"]
