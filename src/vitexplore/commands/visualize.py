"""Optimize images for features of one block, at each of its sites, and score them."""

import argparse
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from vitexplore.commands.common import add_model, model_of, spec_of
from vitexplore.io import write_table
from vitexplore.models.registry import Model, embed, load, pick_device
from vitexplore.models.sites import Site, channels, sites
from vitexplore.provenance import of_model
from vitexplore.visualize.optimize import Recipe, Visualization, normalise, visualize
from vitexplore.visualize.quality import high_frequency_share, identification

DEPTHS = {"early": 0.15, "middle": 0.5, "late": 0.85}  # of the way from the first block to the last


def configure(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--depth", choices=DEPTHS, required=True)
    parser.add_argument("--features", type=int, required=True, help="how many features of each site, drawn once")
    parser.add_argument("--batch", type=int, default=16, help="features in one batch")
    parser.add_argument("--recipe", required=True, help="a visualization recipe as JSON")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--top", type=Path, required=True, help="what `collect` wrote for this model")
    parser.add_argument("--judge", help="another model, as JSON, that says whose feature a picture shows")
    parser.add_argument("--embeddings", type=Path, help="what `embed` wrote for the judge")
    parser.add_argument("--out", type=Path, required=True, help="Parquet: a row for each feature, with its picture")
    parser.add_argument("--losses", type=Path, required=True, help="Parquet: site, block, feature, step, loss")


def run(args: argparse.Namespace) -> None:
    model = model_of(args)
    recipe = recipe_of(args.recipe)
    judge = load(spec_of(args.judge), pick_device(args.device)) if args.judge else None
    embeddings = pd.read_parquet(args.embeddings).set_index("image")["embedding"] if args.judge else None
    top = pd.read_parquet(args.top, columns=["site", "block", "feature", "place", "image", "score", "data"])
    scores, losses = [], []
    for site in block_sites(model, args.depth):
        features = draw_features(channels(model, site), args.features)
        found = in_batches(model, site, features, recipe, args.seed, args.batch)
        mine = top[(top["site"] == site.kind) & (top["block"] == site.block)]
        scores.append(score_table(site, features, found, mine, judge, embeddings).assign(depth=args.depth))
        losses.append(loss_table(site, features, found.loss))
    table = pd.concat(scores, ignore_index=True)
    provenance = of_model(model, str(top["data"].iloc[0]), "own", args.seed) | {"recipe": json.dumps(vars(recipe))}
    write_table(args.losses, pd.concat(losses, ignore_index=True), provenance)
    write_table(args.out, table, provenance)


def recipe_of(text: str) -> Recipe:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(text).items()}
    return Recipe(**values)


def block_sites(model: Model, depth: str) -> list[Site]:
    """The sites that the paper visualizes, at the block that lies ``depth`` of the way in."""
    available = sites(model)
    kinds = [kind for kind in ("query", "key", "value", "ffn", "channel") if kind in available]
    last = available[kinds[0]] - 1
    return [Site(kind, round(DEPTHS[depth] * last)) for kind in kinds]


def draw_features(count: int, wanted: int) -> list[int]:
    """``wanted`` of ``count`` channels, drawn once and for all, sorted."""
    return sorted(np.random.default_rng(0).permutation(count)[:wanted].tolist())


def in_batches(model: Model, site: Site, features: list[int], recipe: Recipe, seed: int, batch: int) -> Visualization:
    parts = [
        visualize(model, site, features[start : start + batch], recipe, seed)
        for start in range(0, len(features), batch)
    ]
    return Visualization(
        torch.cat([part.images for part in parts]),
        torch.cat([part.loss for part in parts], dim=1),
        torch.cat([part.score for part in parts]),
    )


def score_table(
    site: Site,
    features: list[int],
    found: Visualization,
    top: pd.DataFrame,
    judge: Model | None,
    embeddings: pd.Series | None,
) -> pd.DataFrame:
    """A row for each feature. ``score``: clean activation; ``natural``: the best image's; ``identification``:
    the visualization's, and ``identification_natural``: of the last of the feature's exemplars among sets of the
    others, what a real image reaches (both NaN without a judge); ``picture``: PNG bytes."""
    top = top.sort_values(["feature", "place"])
    natural = top[top["place"] == 0].set_index("feature")["score"]
    shown, real = _identify(features, found.images, top, judge, embeddings)
    return pd.DataFrame(
        {
            "site": site.kind,
            "block": site.block,
            "feature": features,
            "score": found.score.numpy(),
            "natural": natural.loc[features].to_numpy(),
            "identification": shown,
            "identification_natural": real,
            "high_frequency": high_frequency_share(found.images).numpy(),
            "picture": [_png(image) for image in found.images],
        }
    )


@torch.no_grad()
def _identify(
    features: list[int], images: torch.Tensor, top: pd.DataFrame, judge: Model | None, embeddings: pd.Series | None
) -> tuple[np.ndarray, np.ndarray]:
    if judge is None:
        return np.full(len(features), np.nan), np.full(len(features), np.nan)
    size = judge.spec.input_size
    if images.shape[-1] != size:
        images = torch.nn.functional.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
    pictures = embed(judge, normalise(judge, images.to(judge.device))).cpu()
    count = top["feature"].nunique()
    exemplars = torch.from_numpy(np.stack(embeddings.loc[top["image"]].to_numpy())).unflatten(0, (count, -1))
    own = torch.tensor(features)
    real = identification(exemplars[own, -1], exemplars[:, :-1], own)
    return identification(pictures, exemplars, own).numpy(), real.numpy()


def _png(image: torch.Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray((image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def loss_table(site: Site, features: list[int], loss: torch.Tensor) -> pd.DataFrame:
    steps = len(loss)
    return pd.DataFrame(
        {
            "site": site.kind,
            "block": site.block,
            "feature": np.tile(features, steps),
            "step": np.repeat(np.arange(steps), len(features)),
            "loss": loss.numpy().reshape(-1),
        }
    )
