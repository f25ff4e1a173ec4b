"""Where in its image a feature is: a mask for PNGs (Fel et al. 2023, MACO)."""

import math

from torch import Tensor

SHARE = 0.8  # of the pixels are transparent in part; the others, which were pulled most, not at all


def opacity(pull: Tensor) -> Tensor:
    """From ``pull`` [f, h, w], the absolute gradient of the objective at each pixel, mean over colours, sum over steps
    (the article's transparency), to alpha [f, h, w] in [0, 1]: 1 from the 80th percentile of an image on, and in
    proportion below, as the authors' library draws it. A pixel without gradient has 0."""
    place = math.ceil(SHARE * pull[0].numel())
    top = pull.flatten(1).kthvalue(place, dim=1).values[:, None, None]
    return (pull / top.clamp_min(1e-30)).clamp_max(1)
