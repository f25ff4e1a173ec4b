"""horama: `maco` on its defaults: 1,000 steps of NAdam at 1.0 on a picture of 1,280 pixels, 6 crops a step of some
quarter of its side (its page says 1,000 pixels and noise of 0.1; the function has 1,280 and 0.05).

Shims:
- einops, which it imports and does not ask for, is installed;
- `model_input_size` and `values_range`, its options, are the model's, as its page asks;
- the objective ends the pass at the site, where its page reads a layer's output and lets the rest run;
- `values_range` is one pair for all colours, so that by a ViT's normalisation it goes beyond [0, 1] by up to 0.09, and
  what is scored is clamped; what its page shows is stretched in contrast under a mask;
- the spectrum of `maco`, which it downloads, is the mean of the photographs', in its own colours (see `spectrum`).
"""

from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from vitexplore.models.sites import read
from vitexplore.models.spec import ModelSpec
from vitexplore.tools.peers.way import Wanted

STEPS = 1000
SEEN = 0.275  # of the picture's side: its crops have 0.25 to 0.3 of it (its page says 0.2 to 0.25)


def version() -> str:
    return metadata.version("horama")


def few(wanted: Wanted) -> bool:
    """The first feature of each of the CNN's blocks: a picture takes ten minutes of a processor or more."""
    return wanted.channel == 0 and not wanted.model.is_vit


def draw_maco(wanted: Wanted, steps: int = STEPS) -> Tensor:
    """The picture of `maco` after ``steps``: float [3, 1280, 1280] in [0, 1]."""
    from horama import maco

    with TemporaryDirectory() as folder:
        path = Path(folder) / "spectrum.npy"
        np.save(path, spectrum(wanted.photographs).numpy())
        with patch("horama.maco_fv.MACO_SPECTRUM_FILENAME", str(path)):
            image, _ = maco(_objective(wanted), total_steps=steps, **_options(wanted))
    return _picture(wanted, image)


def spectrum(photographs: Tensor) -> Tensor:
    """Mean amplitude of photographs [n, 3, h, h] in [0, 1] at each frequency, less their common mean, in the colours
    that horama keeps uncorrelated: float [3, h, h // 2 + 1]."""
    from horama.common import get_color_correlation_svd_sqrt

    uncorrelated = torch.linalg.inv(get_color_correlation_svd_sqrt("cpu"))
    mean = photographs.mean((0, 2, 3))[:, None, None]
    colours = torch.einsum("nchw,cd->ndhw", photographs - mean, uncorrelated)
    return torch.stack([torch.fft.rfft2(one).abs() for one in colours]).mean(0)


def _objective(wanted: Wanted) -> Callable[[Tensor], Tensor]:
    return lambda images: read(wanted.model, wanted.site, images).bpc[..., wanted.channel].mean()


def _options(wanted: Wanted) -> dict[str, Any]:
    return {
        "model_input_size": wanted.model.spec.input_size,
        "values_range": _range(wanted.model.spec),
        "device": str(wanted.model.device),
    }


def _range(spec: ModelSpec) -> tuple[float, float]:
    """The least and the largest value that the model is given of a picture."""
    channels = list(zip(spec.mean, spec.std, strict=True))
    return min(-mean / std for mean, std in channels), max((1 - mean) / std for mean, std in channels)


def _picture(wanted: Wanted, image: Tensor) -> Tensor:
    mean, std = (torch.tensor(v)[:, None, None] for v in (wanted.model.spec.mean, wanted.model.spec.std))
    return (image.detach().cpu() * std + mean).clamp(0, 1)
