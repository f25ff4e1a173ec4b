"""Maps that need no network: what a feature's map must beat before it says that a model finds objects."""

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from vitexplore.measures.pixels import gradient, luminance, saturation

TRIVIAL = ("variance", "brightness", "saturation", "edges", "centre")
# Pixels of 8 bits that vary in an area at all vary by more; what is less is rounding, and must be a tie.
FLAT = 1e-12


def trivial_maps(pixels_b3hw: Tensor, grid: tuple[int, int]) -> Tensor:
    """The maps of TRIVIAL, in that order, of ``pixels_b3hw`` (0 to 1, before the model's normalisation) on ``grid``:
    float64 [b, p, map]. Over a position's area: ``variance`` of the pixels, mean over the colours; mean luminance
    (``brightness``), ``saturation`` and gradient (``edges``), as in pixels.py. ``centre``: minus the distance from the
    image's centre, in sides of the image."""
    pixels = pixels_b3hw.double()

    def area(of_pixels: Tensor) -> Tensor:
        """Means over the positions' areas."""
        return adaptive_avg_pool2d(of_pixels, grid)

    centres = ((2 * torch.arange(side).to(pixels) + 1 - side) / (2 * side) for side in grid)
    distance = torch.hypot(*torch.meshgrid(*centres, indexing="ij"))
    maps = {
        "variance": (area(pixels.square()) - area(pixels).square()).mean(1).clamp_min(FLAT),
        "brightness": area(luminance(pixels)),
        "saturation": area(saturation(pixels)),
        "edges": area(gradient(pixels)),
        "centre": -distance.expand(len(pixels), *grid),
    }
    return torch.stack([maps[name].flatten(1) for name in TRIVIAL], dim=2)
