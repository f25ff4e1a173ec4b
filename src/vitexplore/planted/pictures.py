"""Known pictures in the place of visualizations: images that show a feature, another one, none, or just so much of
it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.activations.pooled import pooled
from vitexplore.data.loading import Loader, unnormalised
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, read
from vitexplore.png import encode
from vitexplore.visualize.optimize import Visualization, normaliser
from vitexplore.visualize.quality import identification
from vitexplore.visualize.score import Judge, counterpart, exemplar_sets, score_table, silent, told
from vitexplore.visualize.study import draw_features, exemplars

EXEMPLARS = 10


@dataclass(frozen=True)
class Shown:
    """One site of a model. Of the EXEMPLARS + 1 images that activate a feature most one, drawn by ``seed``, is held
    out; the judge compares with the others."""

    model: Model
    site: Site
    loader: Loader
    judge: Judge
    seed: int = 0

    def table(self, features: int, choose: "Choice", variant: str, depth: str) -> pd.DataFrame:
        """Rows of the table `visualize`, with the images that ``choose`` gives for the features' pictures."""
        model, site = self.model, self.site
        chosen = draw_features(model, site, features)
        load = self.loader.pictures(unnormalised(model.spec))
        pictures = torch.stack([load(image) for image in choose(self, np.array(chosen))])
        run = Visualization(pictures, torch.zeros(1, len(chosen)), self._scores(pictures, chosen), len(chosen))
        table = score_table(model, site, chosen, [run], self.loader, self._natural, self._top, self.judge, self._judged)
        table["picture"] = [encode(picture) for picture in pictures]
        return table.assign(variant=variant, recipe="{}", batch=len(chosen), depth=depth)

    @cached_property
    def held_out(self) -> np.ndarray:
        """By feature the image that is held out."""
        return self._parted[0]

    @property
    def _top(self) -> pd.DataFrame:
        return self._parted[1]

    @cached_property
    def _parted(self) -> tuple[np.ndarray, pd.DataFrame]:
        """By feature the image that is held out, and the others, as rows of the table `top`."""
        ranked = exemplars(self.model, self.loader, [self.site], EXEMPLARS + 1).sort_values(["feature", "rank"])
        place = np.random.default_rng([1, self.seed]).integers(EXEMPLARS + 1, size=ranked["feature"].nunique())
        out = (ranked["rank"] == place[ranked["feature"]]).to_numpy()
        top = ranked[~out]
        return ranked[out]["image"].to_numpy(), top.assign(rank=top.groupby("feature").cumcount())

    @cached_property
    def weakest(self) -> np.ndarray:
        """By feature the image that activates it least."""
        return self.loader.indices[self._natural.argmin(0).numpy()]

    @cached_property
    def ceiling(self) -> np.ndarray:
        """What held-out exemplars reach, by feature."""
        return told(self.judge, self._top).numpy()

    def told_by(self, feature: int) -> np.ndarray:
        """How well the judge tells a feature by each image: float64 [n]."""
        sets_gkc = self.judge.look_up(exemplar_sets(self._top))
        own = torch.full((len(self.loader),), int(feature))
        return identification(self.judge.look_up(self.loader.indices), sets_gkc, own).numpy()

    @cached_property
    def _natural(self) -> Tensor:
        return pooled(self.model, [self.site], self.loader)[self.site]

    @cached_property
    def _judged(self) -> Tensor:
        site = counterpart(self.model, self.site, self.judge.model)
        return pooled(self.judge.model, [site], self.loader)[site]

    @torch.no_grad()
    def _scores(self, pictures: Tensor, features: tuple[int, ...]) -> Tensor:
        acts = read(self.model, self.site, normaliser(self.model)(pictures)).bpc.mean(1)
        return acts.gather(1, torch.tensor(features)[:, None])[:, 0]


Choice = Callable[[Shown, np.ndarray], np.ndarray]  # from a site and its chosen features to an image for each


def right(share: float) -> Choice:
    """A share of the features have their held-out exemplar, the others that of a feature half of the layer away."""

    def choose(shown: Shown, features: np.ndarray) -> np.ndarray:
        held = shown.held_out
        own = np.random.default_rng(0).permutation(len(features)) < round(share * len(features))
        return held[np.where(own, features, (features + len(held) // 2) % len(held))]

    return choose


def dead(share: float) -> Choice:
    """A share of the features have the image that drives them least, the others their held-out exemplar."""

    def choose(shown: Shown, features: np.ndarray) -> np.ndarray:
        silent = np.random.default_rng(0).permutation(len(features)) < round(share * len(features))
        return np.where(silent, shown.weakest[features], shown.held_out[features])

    return choose


def aimed(at: float) -> Choice:
    """By its picture the judge tells each feature as nearly this well as some image allows."""

    def choose(shown: Shown, features: np.ndarray) -> np.ndarray:
        return np.array([_nearest(shown, feature, at) for feature in features])

    return choose


def below_ceiling(by: float) -> Choice:
    """By its picture the judge tells each feature as nearly so much less well than by held-out exemplars."""

    def choose(shown: Shown, features: np.ndarray) -> np.ndarray:
        return np.array([_nearest(shown, feature, shown.ceiling[feature] - by) for feature in features])

    return choose


def _nearest(shown: Shown, feature: int, at: float) -> int:
    """Of the images that are no dead pictures of the feature."""
    natural = shown._natural[:, feature]
    alive = ((natural > natural.median()) & ~silent(shown.site, natural)).numpy()
    apart = np.abs(shown.told_by(feature) - at)
    return int(shown.loader.indices[np.where(alive, apart, np.inf).argmin()])
