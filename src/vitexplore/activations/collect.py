"""Most activating images and the statistics of all features of all sites and blocks, in two passes.

A feature's score of an image is the mean of its map over positions (the objective that a visualization maximises). The
first pass reads every image once and keeps, on the model's device, what ``Running`` keeps; the second reads the winners
alone, for their maps. Memory grows with neither the images nor the parts that they are passed in.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.activations import sketch
from vitexplore.activations.running import Running
from vitexplore.data.loading import Loader
from vitexplore.errors import InputError
from vitexplore.models.registry import Model
from vitexplore.models.sites import Activations, Site, read_many, shapes, sites

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)  # the quantiles q01 to q99


@dataclass(frozen=True)
class Ranking:
    """``features`` int64 [f] of one site, each with the images that activate it most, best first: ``scores`` float32
    [f, k], and ``images`` int64 [f, k], indices into the image set."""

    features: np.ndarray
    scores: np.ndarray
    images: np.ndarray

    def of(self, features: Iterable[int]) -> "Ranking":
        """The rows of ``features``."""
        rows = [np.flatnonzero(self.features == feature)[0] for feature in features]
        return Ranking(self.features[rows], self.scores[rows], self.images[rows])


def layout_of(model: Model, kinds: Sequence[str]) -> dict[Site, int]:
    """Those of ``kinds`` that ``model`` has, in all blocks, and how many features each has. Raises InputError where it
    has none."""
    available = sites(model)
    wanted = [Site(kind, block) for kind in kinds if kind in available for block in range(available[kind])]
    if not wanted:
        raise InputError(f"{model.spec.name} has no site {' or '.join(kinds)}; it has {', '.join(available)}")
    return widths(model, wanted)


def widths(model: Model, wanted: Collection[Site]) -> dict[Site, int]:
    """How many features each of ``wanted`` has. Raises InputError for a site or block that the model lacks."""
    return {site: width for site, (width, _) in shapes(model, wanted).items()}


def shard_of(count: int, batch: int, shard: int, shards: int) -> slice:
    """The part that shard 0, 1, ... of ``shards`` has of ``count`` images: a run of whole batches, those that
    ``batches`` makes of all of them, so that no score depends on the sharding. Empty where batches run out."""
    ends = np.minimum(np.arange(ceil(count / batch) + 1) * batch, count)
    run = np.array_split(np.arange(len(ends) - 1), shards)[shard]
    return slice(int(ends[run[0]]), int(ends[run[-1] + 1])) if len(run) else slice(0, 0)


@torch.no_grad()
def stream(model: Model, loader: Loader, layout: dict[Site, int], k: int, part: slice = slice(None)) -> Running:
    """The first pass, over ``part`` of the images: what is kept of the features of all sites of ``layout`` (see
    ``widths``), one site's after the other's. Positions count in ``loader.indices``. Raises FloatingPointError for
    activations that are not finite."""
    running = Running.empty(sum(layout.values()), k, model.device)
    first = part.start or 0
    for index, pictures in loader.of(loader.indices[part]).batches(model.spec):
        means = read_many(model, layout, pictures.to(model.device), lambda _site, found: found.bpc.mean(1))
        scores_fb = torch.cat([means[site] for site in layout], dim=1).float().T.contiguous()
        if not torch.isfinite(scores_fb).all():
            raise FloatingPointError(_blame(scores_fb, layout))
        running.add(scores_fb, first)
        first += len(index)
    return running


def streamed_in_parts(
    model: Model, loader: Loader, layout: dict[Site, int], k: int, shards: int, folder: Path
) -> Running:
    """``stream`` over all images, in ``shards`` parts that are merged in order. Each is kept in ``folder`` when it is
    done, and read from there if it is there already: a pass that was killed goes on with the parts that it has.
    ``folder`` is for one model, layout, k and order of images; ``stream`` and ``Running.load`` say what is raised."""
    whole = Running.empty(sum(layout.values()), k)
    for shard in range(shards):
        part = shard_of(len(loader), loader.batch, shard, shards)
        # named by what it covers: with another batch the parts are cut in other places
        path = folder / f"part_{part.start:07d}_{part.stop:07d}.npz"
        if not path.exists():
            stream(model, loader, layout, k, part).save(path)
        whole.merge(Running.load(path))
    return whole


def ranked(running: Running, layout: dict[Site, int], indices: np.ndarray) -> dict[Site, Ranking]:
    """Each site's winners, from what ``stream`` kept of ``indices``."""
    scores, images = running.scores.cpu().numpy(), indices[running.positions.cpu().numpy()]
    ends = np.cumsum(list(layout.values()))[:-1]
    parts = zip(layout, np.split(scores, ends), np.split(images, ends), strict=True)
    return {site: Ranking(np.arange(len(best)), best, winners) for site, best, winners in parts}


def collect(model: Model, loader: Loader, wanted: Collection[Site], k: int = 10) -> dict[Site, Ranking]:
    """The ``k`` images that activate each feature of each wanted site most; of equal scores the image that comes first
    stays. ``k`` may not exceed the number of images."""
    layout = widths(model, wanted)
    return ranked(stream(model, loader, layout, k), layout, loader.indices)


@torch.no_grad()
def maps_of(model: Model, loader: Loader, rankings: dict[Site, Ranking]) -> dict[Site, np.ndarray]:
    """The second pass: the winners' maps, float16 [f, k, h, w] of each site."""
    winners = np.unique(np.concatenate([ranking.images.reshape(-1) for ranking in rankings.values()]))
    ranks = {site: np.searchsorted(winners, ranking.images.reshape(-1)) for site, ranking in rankings.items()}
    orders = {site: rank.argsort(kind="stable") for site, rank in ranks.items()}
    shape = shapes(model, rankings)
    maps = {site: np.empty((*top.images.shape, *shape[site][1]), np.float16) for site, top in rankings.items()}

    def put(first: int, site: Site, found: Activations) -> None:
        """The maps of a batch in their places; ``first``: which of the winners is its first image."""
        rank, order, top = ranks[site], orders[site], rankings[site]
        begin, end = np.searchsorted(rank, [first, first + len(found.bpc)], sorter=order)
        slots = order[begin:end]  # places of the ranking, all in a row, whose images are in this batch
        features = top.features[slots // top.images.shape[1]]
        maps_np = found.bpc[torch.from_numpy(rank[slots] - first), :, torch.from_numpy(features)]
        maps[site].reshape(len(rank), -1)[slots] = maps_np.half().cpu().numpy()

    first = 0
    for index, pictures in loader.of(winners).batches(model.spec):
        read_many(model, rankings, pictures.to(model.device), partial(put, first))
        first += len(index)
    return maps


def frame(site: Site, ranking: Ranking) -> pd.DataFrame:
    """One row for each feature and rank, best first: columns site, block, feature, rank, image, score."""
    features, k = ranking.scores.shape
    return pd.DataFrame(
        {
            "site": site.kind,
            "block": np.int16(site.block),
            "feature": np.repeat(ranking.features.astype(np.int32), k),
            "rank": np.tile(np.arange(k, dtype=np.int16), features),
            "image": ranking.images.reshape(-1),
            "score": ranking.scores.reshape(-1),
        }
    )


def statistics(running: Running, layout: dict[Site, int]) -> pd.DataFrame:
    """One row for each feature of ``layout``: ``n`` images, and the mean, variance and quantiles of their scores."""
    counts = list(layout.values())
    table = pd.DataFrame(
        {
            "site": np.repeat([site.kind for site in layout], counts),
            "block": np.repeat([np.int16(site.block) for site in layout], counts),
            "feature": np.concatenate([np.arange(count, dtype=np.int32) for count in counts]),
            "n": running.n,
            "mean": running.mean.cpu().numpy(),
            "variance": running.variance.cpu().numpy(),
        }
    )
    names = [f"q{round(100 * level):02d}" for level in LEVELS]
    return table.join(pd.DataFrame(sketch.quantiles(running.counts, LEVELS), columns=names))


def _blame(scores_fb: Tensor, layout: dict[Site, int]) -> str:
    parts = zip(layout, scores_fb.split(list(layout.values())), strict=True)
    site = next(site for site, mine in parts if not torch.isfinite(mine).all())
    return f"activations of {site.kind} in block {site.block} are not finite"
