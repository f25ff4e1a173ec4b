"""Known pictures in the place of visualizations: of the right feature, or of another one."""

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
from vitexplore.visualize.score import Judge, counterpart, score_table
from vitexplore.visualize.study import draw_features, exemplars

EXEMPLARS = 10


@dataclass(frozen=True)
class Shown:
    """One site of a model. A feature's own picture is one, drawn at random, of the EXEMPLARS + 1 images that activate
    it most; the judge compares with the others. So it is a held-out exemplar, the ceiling of visualizations."""

    model: Model
    site: Site
    loader: Loader
    judge: Judge

    def table(self, features: int, right: float, variant: str, depth: str) -> pd.DataFrame:
        """Rows of the table `visualize`: a share ``right`` of the features have their own picture, the others that of a
        feature half of the layer away."""
        model, site = self.model, self.site
        chosen = draw_features(model, site, features)
        held, top = self._held_out
        own = np.random.default_rng(0).permutation(len(chosen)) < round(right * len(chosen))
        others = (np.array(chosen) + len(held) // 2) % len(held)
        load = self.loader.pictures(unnormalised(model.spec))
        pictures = torch.stack([load(image) for image in held[np.where(own, chosen, others)]])
        run = Visualization(pictures, torch.zeros(1, len(chosen)), self._scores(pictures, chosen), len(chosen))
        table = score_table(model, site, chosen, [run], self.loader, self._natural, top, self.judge, self._judged)
        table["picture"] = [encode(picture) for picture in pictures]
        return table.assign(variant=variant, recipe="{}", batch=len(chosen), depth=depth)

    @cached_property
    def _held_out(self) -> tuple[np.ndarray, pd.DataFrame]:
        """By feature the image that is held out, and the others, as rows of the table `top`."""
        ranked = exemplars(self.model, self.loader, [self.site], EXEMPLARS + 1).sort_values(["feature", "rank"])
        place = np.random.default_rng(1).integers(EXEMPLARS + 1, size=ranked["feature"].nunique())
        out = (ranked["rank"] == place[ranked["feature"]]).to_numpy()
        top = ranked[~out]
        return ranked[out]["image"].to_numpy(), top.assign(rank=top.groupby("feature").cumcount())

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
