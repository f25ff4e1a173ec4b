"""Scores of visualizations against natural images and before a judge: one row a feature."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor
from torch.nn.functional import interpolate

from vitexplore.data.loading import Loader
from vitexplore.models.registry import Model, embed
from vitexplore.models.sites import Site, read, read_many, sites
from vitexplore.visualize.optimize import Visualization, normaliser
from vitexplore.visualize.quality import (
    high_frequency_share,
    identification,
    kernel_distance,
    kernel_distance_of_sets,
    machine_interpretability,
    natural_identification,
    natural_kernel_distance,
    path_agreement,
    relative_activation,
    seed_agreement,
    transferability,
)

QUERIES = 5  # images of each kind in a machine's forced choice, and exemplars in a comparison of paths
NATURAL = 1000  # natural images in a kernel distance, as in a block of KID
DEAD = 0.5  # percentile up to which the optimizer moved nothing: the median of natural images


@dataclass(frozen=True)
class Judge:
    """A model that is not the visualized one, and its ``embeddings`` of the images, by image index."""

    model: Model
    embeddings: pd.Series

    @torch.no_grad()
    def describe(self, pictures: Tensor) -> Tensor:
        """Embeddings [f, c] of pictures [f, 3, h, w] in [0, 1], brought to the judge's size."""
        return embed(self.model, self._input(pictures)).cpu()

    @torch.no_grad()
    def activations(self, site: Site, pictures: Tensor) -> Tensor:
        """Mean activation [f, c] over positions of the judge's channels at ``site``, of such pictures."""
        return read(self.model, site, self._input(pictures)).bpc.mean(1).cpu()

    def _input(self, pictures: Tensor) -> Tensor:
        size = self.model.spec.input_size
        if pictures.shape[-1] != size:
            pictures = interpolate(pictures, size=(size, size), mode="bilinear", antialias=True)
        return normaliser(self.model)(pictures.to(self.model.device))

    def look_up(self, images: np.ndarray) -> Tensor:
        """Embeddings [*images.shape, c] of data set images."""
        flat = np.stack(self.embeddings.loc[images.reshape(-1)].to_numpy())
        return torch.from_numpy(flat).unflatten(0, images.shape)


def score_table(
    model: Model,
    site: Site,
    features: Sequence[int],
    runs: Sequence[Visualization],
    loader: Loader,
    natural_nc: Tensor,
    top: pd.DataFrame,
    judge: Judge | None,
    judged_nc: Tensor | None,
) -> pd.DataFrame:
    """A row for each of ``features``, channels of ``site``. ``runs``: their visualizations, one a seed; the first
    is shown and scored. ``loader``: natural images to compare with; ``natural_nc``: ``pooled`` of them at the site.
    ``top``: the site's rows of the table `top`, for all its features. ``judged_nc``: ``pooled`` of these natural
    images at the judge's `counterpart` of the site; None without a judge.

    ``score``: clean activation; ``natural``: the best image's; ``percentile``: among those of ``natural_nc``;
    ``dead``: not above their median, or ``silent``; ``score_other``: the feature on the next feature's picture;
    ``high_frequency``; ``path_agreement``: over the blocks up to the site. With a judge ``identification``;
    ``identification_other``: of the next feature's picture in the place of its own, chance by construction (several
    features); ``identification_natural``: of a real image; ``ceiling`` and ``ceiling_low``: the mean of that over
    all features of the site, the same in all rows, and the lower end of its interval; ``interpretability``;
    ``seed_agreement`` (several seeds and features). ``kernel_distance`` to the natural images by the embeddings of
    ``judge``, its name: two judges' distances do not compare; ``kernel_distance_natural``: the mean of the natural
    images' own, and ``kernel_distance_of_sets``: of all the features' pictures together (several features), both
    the same in all rows. ``transferability``: to the judge's features at the same relative depth;
    ``transferability_other``: of the next feature's picture in the place of its own (several features). See
    quality.py."""
    pictures, own = runs[0].images, torch.tensor(features)
    exemplars_gk = exemplar_sets(top)
    ratio, percentile = relative_activation(runs[0].score, natural_nc[:, own].T)
    table = known_table(site, features, top, judge)
    table["score"] = runs[0].score.numpy()
    table["ratio"], table["percentile"] = ratio.numpy(), percentile.numpy()
    table["dead"] = ((percentile <= DEAD) | silent(site, runs[0].score)).numpy()
    table["score_other"] = _on_the_next(model, site, own, pictures)
    table["high_frequency"] = high_frequency_share(pictures).numpy()
    table["path_agreement"] = _path_agreement(model, site, pictures, loader, exemplars_gk[own, :QUERIES])
    if judge is None:
        return table
    shown_sfc = torch.stack([judge.describe(run.images) for run in runs])
    exemplars_gkc = judge.look_up(exemplars_gk)
    table["identification"] = identification(shown_sfc[0], exemplars_gkc, own).numpy()
    table["interpretability"] = _interpretability(judge, shown_sfc, loader.indices, natural_nc[:, own].T)
    images_nc = judge.look_up(loader.indices[:NATURAL])
    table["kernel_distance"] = kernel_distance(shown_sfc[0], images_nc).numpy()
    table["kernel_distance_natural"] = natural_kernel_distance(images_nc).mean().item()
    driven_fc = judge.activations(counterpart(model, site, judge.model), pictures)
    table["transferability"] = transferability(natural_nc[:, own], judged_nc, driven_fc).numpy()
    if len(features) > 1:
        table["kernel_distance_of_sets"] = kernel_distance_of_sets(shown_sfc[0], images_nc)
        table["transferability_other"] = transferability(natural_nc[:, own], judged_nc, driven_fc.roll(-1, 0)).numpy()
        table["identification_other"] = identification(shown_sfc[0].roll(-1, 0), exemplars_gkc, own).numpy()
        if len(runs) > 1:
            table["seed_agreement"] = seed_agreement(shown_sfc).numpy()
    return table


def known_table(site: Site, features: Sequence[int], top: pd.DataFrame, judge: Judge | None) -> pd.DataFrame:
    """The rows of ``score_table`` with what is known before anything is visualized: ``natural`` and, with a judge,
    ``identification_natural``, ``ceiling`` and ``ceiling_low``. No feature is ``dead``, all other scores are NaN."""
    natural = top[top["rank"] == 0].set_index("feature")["score"].loc[list(features)].to_numpy()
    table = pd.DataFrame(
        {
            "site": site.kind,
            "block": site.block,
            "feature": features,
            "score": np.nan,
            "natural": natural,
            "ratio": np.nan,
            "percentile": np.nan,
            "dead": False,
            "score_other": np.nan,
            "high_frequency": np.nan,
            "path_agreement": np.nan,
            "identification": np.nan,
            "identification_other": np.nan,
            "identification_natural": np.nan,
            "ceiling": np.nan,
            "ceiling_low": np.nan,
            "interpretability": np.nan,
            "seed_agreement": np.nan,
            "judge": judge.model.spec.name if judge else "",
            "kernel_distance": np.nan,
            "kernel_distance_natural": np.nan,
            "kernel_distance_of_sets": np.nan,
            "transferability": np.nan,
            "transferability_other": np.nan,
        }
    )
    if judge:
        told_g = told(judge, top).numpy()
        table["identification_natural"] = told_g[list(features)]
        table["ceiling"], table["ceiling_low"] = mean_and_low(told_g)
    return table


def told(judge: Judge, top: pd.DataFrame) -> Tensor:
    """How well ``judge`` tells each feature of a site by a held-out exemplar, float [g]. ``top``: as in
    ``score_table``."""
    return natural_identification(judge.look_up(exemplar_sets(top)))


def counterpart(model: Model, site: Site, other: Model) -> Site:
    """Where ``other`` has features at the relative depth at which ``site`` lies in ``model``."""
    kind, last = other.feature_site, sites(model)[site.kind] - 1
    return Site(kind, round(site.block / max(1, last) * (sites(other)[kind] - 1)))


def silent(site: Site, score: Tensor) -> Tensor:
    """Which features behind a nonlinearity do not fire, bool [f]. Natural images may push a GELU further below 0, so
    that a silent feature's percentile is high."""
    return (score <= 0) & (site.kind == "ffn")


def exemplar_sets(top: pd.DataFrame) -> np.ndarray:
    """The images that activate each feature of a site most: int64 [g, k], best first. ``top``: the site's rows of that
    table, for all its features."""
    return np.stack([mine.to_numpy() for _, mine in top.sort_values("rank").groupby("feature")["image"]])


def mean_and_low(values: np.ndarray) -> tuple[float, float]:
    """The mean of float [n], and the lower end of its 95% interval: Student's, which is right for few values too."""
    mean = values.mean()
    return mean, mean - stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)


def loss_table(features: Sequence[int], loss_sf: Tensor, **where: object) -> pd.DataFrame:
    """The loss curves of a visualization, float [steps, f]: columns of ``where``, one value each, then feature, step,
    loss."""
    steps = len(loss_sf)
    return pd.DataFrame(
        {
            **where,
            "feature": np.tile(features, steps),
            "step": np.repeat(np.arange(steps), len(features)),
            "loss": loss_sf.numpy().reshape(-1),
        }
    )


def _interpretability(judge: Judge, shown_sfc: Tensor, indices: np.ndarray, natural_fn: Tensor) -> np.ndarray:
    """References: the visualizations, and the least activating images; queries: the most activating ones, and the
    next least."""
    ranked = indices[natural_fn.argsort(dim=1, stable=True).numpy()]
    weakest, weak, strong = ranked[:, :QUERIES], ranked[:, QUERIES : 2 * QUERIES], ranked[:, -QUERIES:]
    found = machine_interpretability(shown_sfc.transpose(0, 1), *(judge.look_up(i) for i in (weakest, strong, weak)))
    return found.numpy()


@torch.no_grad()
def _on_the_next(model: Model, site: Site, own: Tensor, pictures: Tensor) -> np.ndarray:
    acts_fc = read(model, site, normaliser(model)(pictures.to(model.device))).bpc.mean(1).cpu()
    return acts_fc.roll(-1, 0).gather(1, own[:, None])[:, 0].numpy()


@torch.no_grad()
def _path_agreement(model: Model, site: Site, pictures: Tensor, loader: Loader, exemplars_fk: np.ndarray) -> np.ndarray:
    """Mean over the blocks up to the site's, those left out at which it is not defined."""
    if len(pictures) < 2:
        return np.full(len(pictures), np.nan)
    layers = [Site("block" if model.is_vit else "channel", block) for block in range(site.block + 1)]
    load = loader.pictures(model.spec)
    natural = torch.stack([load(image) for image in exemplars_fk.reshape(-1)]).to(model.device)
    images = torch.cat([normaliser(model)(pictures.to(model.device)), natural])
    acts = {layer: found.bpc.mean(1).cpu() for layer, found in read_many(model, layers, images).items()}
    count = len(pictures)
    each = [path_agreement(acts[at][:count], acts[at][count:].unflatten(0, exemplars_fk.shape)) for at in layers]
    return torch.stack(each).nanmean(0).numpy()
