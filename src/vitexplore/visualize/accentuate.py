"""Accentuation: a feature brought out in an image that is there, which otherwise stays what it shows (Hamblin et al.
2024, "Feature Accentuation: Revealing 'What' Features Respond to in Natural Images")."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from vitexplore.data.loading import preprocess, unnormalised
from vitexplore.errors import InputError
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, read, sites
from vitexplore.visualize.objective import LOGITS, Objective


@dataclass(frozen=True)
class Near:
    """Keeps images near those that they start from, as the model sees both at ``site``, mostly one before the
    feature's: the loss grows by ``weight``, in units of the objective, times the distance of the activations there.

    The distance is the article's regularizer, the Euclidean norm over channels of f(x) - f(x0), as its library
    averages it over positions; here in units of the same mean of f(x0), so that a blank of activations is at 1. The
    article compares the augmented copies of both, and derives the weight from the first gradients; here the images
    themselves are compared."""

    site: Site
    weight: float

    def bind(self, model: Model, start: Tensor) -> Callable[[Tensor], Tensor]:
        """The function from preprocessed images [f, 3, h, w] to what the loss grows by, [f]; differentiable.
        ``start`` [f, 3, h, w], preprocessed too. Raises InputError for a site that ``model`` lacks."""
        with torch.no_grad():
            seen = read(model, self.site, start).bpc
        unit = _length(seen)
        return lambda images: self.weight * _length(read(model, self.site, images).bpc - seen) / unit


@dataclass(frozen=True)
class Start:
    """What the pictures of all features begin with: ``image`` float [3, size, size] in [0, 1], or noise for None.
    ``near``: the weight of what keeps the pictures like the image (see ``Near``), 0 for nothing. Raises InputError for
    a weight below 0, and for one without an image."""

    image: Tensor | None = None
    near: float = 0.0

    def __post_init__(self) -> None:
        if self.near < 0:
            raise InputError(f"near is {self.near:g}; choose 0 or more")
        if self.near and self.image is None:
            raise InputError("near: there is nothing to stay near; name an image to start from")

    def of(self, model: Model, objective: Objective) -> dict[str, Any]:
        """The arguments ``start`` and ``near`` of ``visualize``. The pictures are compared with the image as the model
        sees both ``halfway`` to the feature."""
        if self.image is None:
            return {}
        images = self.image.expand(len(objective.labels), -1, -1, -1)
        return {"start": images, "near": Near(halfway(model, objective), self.near) if self.near else None}


NOISE = Start()


def start_from(model: Model, image: Image.Image | Path | str | None, near: float) -> Start:
    """``image``, or the file that holds it, resized and cropped as ``model`` has its images; noise for None. Raises
    InputError for a file that holds no image, and for what ``Start`` refuses."""
    if image is None:
        return Start(None, near)
    found = image if isinstance(image, Image.Image) else _opened(Path(image))
    return Start(preprocess(unnormalised(model.spec))(found.convert("RGB")), near)


def halfway(model: Model, objective: Objective) -> Site:
    """The output of the block of half the number of the first that ``objective`` reads."""
    kind = "block" if model.is_vit else "channel"
    first = min(sites(model)[kind] if site == LOGITS else site.block for site in objective.sites)
    return Site(kind, first // 2)


def _opened(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except OSError as error:
        raise InputError(f"{path}: no image can be read there; name an image file to start from") from error


def _length(bpc: Tensor) -> Tensor:
    """Norm over channels, mean over positions: [b]."""
    return torch.linalg.vector_norm(bpc, dim=2).mean(1)
