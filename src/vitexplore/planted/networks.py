"""Networks whose features or answers are made of what is known of the images."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.special import entr
from scipy.stats import norm
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, one_hot

from vitexplore.claims.instrument import WEIGHTS
from vitexplore.data.filters import filtered
from vitexplore.data.loading import Loader, preprocess, unnormalised
from vitexplore.measures.background import Views, views_of
from vitexplore.measures.factors import factors_of
from vitexplore.measures.localization import as_image
from vitexplore.measures.low_pass import DISC, GAUSSIAN, NONE, filters_of
from vitexplore.measures.trivial_maps import TRIVIAL, trivial_maps
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, channels, sites
from vitexplore.planted.lab import lab_model, normal, shown
from vitexplore.planted.oracle import Known, Plant, plant_answers, plant_features

CODE = 8.0  # how far the levels of a feature that codes a factor span to either side, in units of its noise


def trained(name: str) -> Model:
    """A trained twin of `lab_vit`."""
    return lab_model("vit", name, weights=str(WEIGHTS / f"{name}.safetensors"))


def noise_network(model: Model, loader: Loader, positions: int, planted: Mapping[int, Tensor]) -> Model:
    """``model`` with noise for features, but for what is ``planted``: by block [n, positions or 1, channels], in the
    place of the first channels, with noise of 1 over it. What it knows of images beside that is taken away."""
    kind, plants = model.feature_site, []
    for block in range(sites(model)[kind]):
        site = Site(kind, block)
        acts = normal(len(loader), positions, channels(model, site), seed=block)
        if block in planted:
            acts[..., : planted[block].shape[2]] += planted[block]
        plants.append(Plant(site, acts))
    return plant_features(model, Known(shown(model, loader)), plants)


def of_mask(loader: Loader, model: Model) -> Tensor:
    """The share of each position that the object covers: float32 [n, positions]."""
    transform = preprocess(unnormalised(model.spec), loader.preprocessing)
    masks = torch.stack([transform(as_image(loader.images.mask(index)))[0] for index in loader.indices])
    return adaptive_avg_pool2d(masks[:, None], model.trunk.patch_embed.grid_size).flatten(1)


def of_contrast(loader: Loader, model: Model) -> Tensor:
    """The variance of each position's pixels, over its standard deviation."""
    pixels = torch.stack([loader.pictures(unnormalised(model.spec))(index) for index in loader.indices])
    found = trivial_maps(pixels, model.trunk.patch_embed.grid_size)[..., TRIVIAL.index("variance")]
    return found / found.std()


def by_class(loader: Loader, maps_np: Tensor, classes: int) -> Tensor:
    """``maps_np`` as one channel for each of the first ``classes`` classes, 0 on the images of others: float32 [n,
    positions, classes]."""
    labels = torch.from_numpy(loader.images.labels[loader.indices])
    return maps_np[..., None] * one_hot(labels, len(loader.images.classes))[:, None, :classes].float()


def coding_network(
    model: Model, loader: Loader, of_class: Sequence[float], simple: Sequence[float] | None = None
) -> Model:
    """``model`` whose features code the class, or a half of them hue or orientation, each value by a level of its own,
    through noise: in each block they tell these shares (``of_class``, ``simple``) of what they tell where levels span
    CODE to either side."""
    factors, kind, planted = factors_of(loader.images, loader.indices), model.feature_site, {}
    for block, share_of_class in enumerate(of_class):
        width = channels(model, Site(kind, block))
        part, rest = width // 2, width // 2 + width // 4
        places = {
            "class": range(part),
            "hue": range(part, rest),
            "orientation": range(rest, width),
        }
        if simple is None:
            places = {"class": range(width)}
        codes = torch.zeros(len(loader), 1, width)
        for factor, mine in places.items():
            share = share_of_class if factor == "class" else simple[block]
            values, place = np.unique(factors[factor], return_inverse=True)
            levels = np.linspace(-1, 1, len(values)) * _strength(share, len(values))
            for channel in mine:
                order = np.random.default_rng(channel).permutation(len(values))
                codes[:, 0, channel] = torch.from_numpy(levels[order][place])
        planted[block] = codes
    return noise_network(model, loader, 1, planted)


def _strength(share: float, count: int) -> float:
    """How far ``count`` levels have to span to either side, in units of the noise, for them to tell this share of what
    they tell that span CODE, in bits."""
    x, strengths = np.linspace(-8 - CODE, 8 + CODE, 2001), np.linspace(0, CODE, 201)
    levels = strengths[:, None] * np.linspace(-1, 1, count)
    density = norm.pdf(x - levels[..., None]).mean(1)
    bits = np.trapezoid(entr(density), x, axis=1)
    return float(np.interp(share, (bits - bits[0]) / (bits[-1] - bits[0]), strengths))


def reader(model: Model, loader: Loader, known: Mapping[str, float]) -> Model:
    """``model`` that answers the class on this share of the views of each condition, and else another class."""
    views = views_of(loader.images)
    make = Views(loader.images, preprocess(model.spec, loader.preprocessing), views)
    images = torch.stack([make(index) for index in loader.indices]).flatten(0, 1)
    return _answering(model, loader, images, [known[view.condition] for view in views])


def blurred_reader(model: Model, loader: Loader, curve: Sequence[float]) -> Model:
    """``model`` that answers the class on these shares of images under each ideal filter, from the coarsest on, on as
    many under all Gaussian ones as under the coarsest, and on all that are not filtered."""
    filters = filters_of(model.spec.input_size, (DISC, GAUSSIAN), model.device)
    images = torch.cat(
        [
            torch.stack([pictures if gain is None else filtered(pictures, gain) for _, _, gain in filters], dim=1)
            for _, pictures in loader.batches(model.spec)
        ]
    )
    cutoffs = sorted(strength for name, strength, _ in filters if name == DISC)
    shares = dict(zip(((DISC, cutoff) for cutoff in cutoffs), curve, strict=True)) | {(NONE, 0.0): 1.0}
    return _answering(model, loader, images.flatten(0, 1), [shares.get(view[:2], curve[0]) for view in filters])


def _answering(model: Model, loader: Loader, images: Tensor, shares: Sequence[float]) -> Model:
    """``images``: the views of each image after each other; ``shares``: of images of which it knows each view. Who
    knows less knows part of what the other knows."""
    labels = torch.from_numpy(loader.images.labels[loader.indices])
    classes, rng = len(loader.images.classes), np.random.default_rng(0)
    luck = torch.from_numpy(rng.random((len(loader), 1)))
    wrong = (labels + torch.from_numpy(rng.integers(2, classes - 1, len(labels)))) % classes
    answers = torch.where(luck < torch.tensor(shares), labels[:, None], wrong[:, None])
    return plant_answers(model, Known(images), one_hot(answers.flatten(), classes).float())
