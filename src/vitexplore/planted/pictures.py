"""Known pictures in the place of visualizations: of the right feature, or of another one."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

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
    """One site of a model, whose pictures are known. A feature's own picture is the image that activates it most after
    its EXEMPLARS, which the judge compares with."""

    model: Model
    site: Site
    loader: Loader
    judge: Judge

    def table(self, features: int, right: float, variant: str, depth: str) -> pd.DataFrame:
        """Rows of the table `visualize`: a share ``right`` of the features have their own picture, the others that of a
        feature drawn among the rest of the layer."""
        model, site, loader, judge = self.model, self.site, self.loader, self.judge
        chosen = draw_features(model, site, features)
        natural = pooled(model, [site], loader)[site]
        other = counterpart(model, site, judge.model)
        ranked = exemplars(model, loader, [site], EXEMPLARS + 1)
        held = ranked[ranked["rank"] == EXEMPLARS].set_index("feature")["image"]
        rng = np.random.default_rng(0)
        strangers = [rng.choice(np.setdiff1d(held.index, chosen)) for _ in chosen]
        own = rng.permutation(len(chosen)) < round(right * len(chosen))
        images = held.loc[np.where(own, chosen, strangers)].to_numpy()
        load = loader.pictures(unnormalised(model.spec))
        pictures = torch.stack([load(image) for image in images])
        run = Visualization(pictures, torch.zeros(1, len(chosen)), self._scores(pictures, chosen), len(chosen))
        top = ranked[ranked["rank"] < EXEMPLARS]
        judged = pooled(judge.model, [other], loader)[other]
        table = score_table(model, site, chosen, [run], loader, natural, top, judge, judged)
        table["picture"] = [encode(picture) for picture in pictures]
        return table.assign(variant=variant, recipe="{}", batch=len(chosen), depth=depth)

    @torch.no_grad()
    def _scores(self, pictures: torch.Tensor, features: tuple[int, ...]) -> torch.Tensor:
        acts = read(self.model, self.site, normaliser(self.model)(pictures)).bpc.mean(1)
        return acts.gather(1, torch.tensor(features)[:, None])[:, 0]
