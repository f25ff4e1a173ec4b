"""How good the libraries' pictures are, at the size that a model takes, whatever size they have.

Where a library shows the model parts of its picture, the middle part is scored: horama's whole picture, brought to the
model's size, is seen at a quarter of the scale that it is drawn for (after 40 steps of `maco`, channel 0 of
EfficientNet-Lite0's block 13 has 5 on the whole and 44 on the middle).
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.functional import center_crop

from vitexplore.data.loading import Loader
from vitexplore.experiments import embed
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, read
from vitexplore.png import decode
from vitexplore.visualize import quality
from vitexplore.visualize.optimize import normaliser
from vitexplore.visualize.score import Judge, exemplar_sets
from vitexplore.visualize.study import exemplars

EXEMPLARS = 10
Natural = Mapping[tuple[str, int], Tensor]


def scored(
    drawn: pd.DataFrame,
    models: Mapping[str, Model],
    natural: Natural,
    loader: Loader,
    judges: Mapping[str, Model],
) -> pd.DataFrame:
    """``drawn`` (see `draw_all`) with three columns more. ``natural``: by model and block the mean activations [n, c]
    of the images of ``loader``, which hold no less than EXEMPLARS.

    ``clean_over_natural``: the feature's mean activation over positions, over the best image's, NaN where that is 0 or
    less; ``identification`` among the features of the site, and ``kernel_distance`` to the images, by the model's
    judge in ``judges``. See quality.py."""
    by_model = {name: _judge(judge, loader) for name, judge in judges.items()}
    parts = []
    for (name, block), mine in drawn.groupby(["model", "block"], sort=False):
        model, judge, own = models[name], by_model[name], torch.tensor(mine["feature"].to_numpy())
        site = Site(model.feature_site, block)
        pictures = [_seen(row.picture, row.seen) for row in mine.itertuples()]
        clean_f = torch.cat([_clean(model, site, picture) for picture in pictures]).gather(1, own[:, None])[:, 0]
        ratio_f, _ = quality.relative_activation(clean_f, natural[name, block][:, own].T)
        exemplars_gkc = judge.look_up(exemplar_sets(exemplars(model, loader, [site], EXEMPLARS)))
        judged_fc = torch.cat([judge.describe(picture) for picture in pictures])
        found = {
            "clean_over_natural": ratio_f,
            "identification": quality.identification(judged_fc, exemplars_gkc, own),
            "kernel_distance": quality.kernel_distance(judged_fc, judge.look_up(loader.indices)),
        }
        parts.append(mine.assign(**{column: values.numpy() for column, values in found.items()}))
    return pd.concat(parts)


def _judge(model: Model, loader: Loader) -> Judge:
    return Judge(model, embed.measure(model, loader, images=len(loader)).set_index("image")["embedding"])


def _seen(path: Path, share: float) -> Tensor:
    """The middle of a PNG, ``share`` of its side: float [1, 3, h, w] in [0, 1]."""
    image = torch.from_numpy(decode(path.read_bytes()).copy()).permute(2, 0, 1)[None] / 255
    return center_crop(image, [round(share * image.shape[-1])])


@torch.no_grad()
def _clean(model: Model, site: Site, picture: Tensor) -> Tensor:
    """Mean activations [1, c] over the positions of a picture, brought to the model's size."""
    size = model.spec.input_size
    fitted = interpolate(picture, size=(size, size), mode="bilinear", antialias=True)
    return read(model, site, normaliser(model)(fitted.to(model.device))).bpc.mean(1).cpu()
