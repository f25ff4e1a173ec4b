"""What pixels tell without a network: simple statistics, which a feature must beat before its AUROC says that it codes
a concept."""

import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import resize, to_tensor

from vitexplore.data.loading import Loader, Pictures
from vitexplore.visualize.quality import high_frequency_share

SIDE = 64  # pixels, of the lab's scenes: photographs are brought to it
HALVES = {"upper": slice(None, SIDE // 2), "lower": slice(SIDE // 2, None)}
SIDES = {"left": slice(None, SIDE // 2), "right": slice(SIDE // 2, None)}
PLACES = {"whole": (slice(None), slice(None))}
PLACES |= {f"{half}_{side}": (rows, columns) for half, rows in HALVES.items() for side, columns in SIDES.items()}
CHANNELS = ("red", "green", "blue", "luminance", "saturation")
STATISTICS = tuple(f"{channel}_{what}" for what in ("mean", "deviation") for channel in CHANNELS)
STATISTICS += ("gradient", "high_frequencies")


def pixel_statistics(loader: Loader) -> pd.DataFrame:
    """float32 [n, s]: a row for each image of ``loader``, in its order, and a column for each statistic and place,
    ``<statistic>_<place>``. Images are at SIDE x SIDE pixels (squeezed where they are not square), in [0, 1].

    Statistics: mean and standard deviation of each of CHANNELS (see ``luminance``, ``saturation``), the mean
    ``gradient``, and the ``high_frequency_share``. Places: the whole image, and its four quarters."""
    found = loader.loaded(Pictures(loader.images, _small), "pixel statistics", loader.batch)
    names = [f"{statistic}_{place}" for place in PLACES for statistic in STATISTICS]
    return pd.DataFrame(torch.cat([_statistics(pictures) for _, pictures in found]).numpy(), columns=names)


def luminance(pixels_bchw: Tensor) -> Tensor:
    """Grey level of each pixel of RGB images, [b, h, w], in their unit (the weights of ITU-R BT.601)."""
    return torch.einsum("bchw,c->bhw", pixels_bchw, pixels_bchw.new_tensor([0.299, 0.587, 0.114]))


def saturation(pixels_bchw: Tensor) -> Tensor:
    """The largest of red, green and blue less the smallest, of each pixel, [b, h, w]: 0 for greys."""
    return pixels_bchw.amax(1) - pixels_bchw.amin(1)


def gradient(pixels_bchw: Tensor) -> Tensor:
    """Length of the step in luminance from each pixel to the next one to the right and below, [b, h, w]; no step over
    the edge."""
    grey_bhw = luminance(pixels_bchw)
    right = torch.diff(grey_bhw, dim=2, append=grey_bhw[:, :, -1:])
    down = torch.diff(grey_bhw, dim=1, append=grey_bhw[:, -1:])
    return torch.hypot(right, down)


def _small(image: Image.Image) -> Tensor:
    return to_tensor(resize(image, [SIDE, SIDE]))


def _statistics(pixels_bchw: Tensor) -> Tensor:
    """float32 [b, s] from RGB in [0, 1]; statistics of one place stand together."""
    pixels_bchw = pixels_bchw.double()  # in float32 the rounding of a flat image's deviation would rank images
    maps_bmhw = torch.stack([luminance(pixels_bchw), saturation(pixels_bchw), gradient(pixels_bchw)], dim=1)
    maps_bmhw = torch.cat([pixels_bchw, maps_bmhw], dim=1)
    found = []
    for rows, columns in PLACES.values():
        maps = maps_bmhw[:, :, rows, columns]
        means = maps.mean((2, 3))
        deviations = (maps - means[..., None, None])[:, :-1].square().mean((2, 3)).sqrt()
        fine = high_frequency_share(pixels_bchw[:, :, rows, columns])[:, None]
        found += [means[:, :-1], deviations, means[:, -1:], fine]
    return torch.cat(found, dim=1).float()
