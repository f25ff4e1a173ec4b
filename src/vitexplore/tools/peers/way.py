"""What a library is asked for, and what one is."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from torch import Tensor, nn

from vitexplore.models.families import Tap, taps_of
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site


@dataclass(frozen=True)
class Wanted:
    """The ``channel`` of a ``site`` of ``model`` whose picture is wanted. ``photographs`` float [n, 3, h, w] in [0, 1]:
    for a library that starts from what is natural."""

    model: Model
    site: Site
    channel: int
    photographs: Tensor

    @property
    def tap(self) -> Tap:
        return taps_of(self.model.trunk)[self.site.block][self.site.kind]

    @property
    def module_name(self) -> str:
        """Of the module whose output is read, in the model."""
        return next(name for name, module in self.model.trunk.named_modules() if module is self.tap.module)

    @property
    def network(self) -> nn.Module:
        return self.model.trunk

    def mean_activation(self, output: Any) -> Tensor:
        """The channel's mean over images and positions, in the output of the tapped module; what all ways maximise."""
        side = self.model.spec.input_size
        return self.tap.convert(output, (side, side)).bpc[..., self.channel].mean()


@dataclass(frozen=True)
class Way:
    """A way of drawing by ``name``. ``version()`` tells pictures of one state of its code from another's, and raises
    PackageNotFoundError where its package is not installed; ``draw`` yields float [3, h, w] in [0, 1], and takes
    ``steps`` where not all are wanted. ``seen``: the share of the picture's side that the model is shown at once.
    ``network``: the module whose passes count, where it is not the one that is given.
    ``draws``: whether it is asked for a picture; a way that takes many minutes for one is asked for few."""

    name: str
    version: Callable[[], str]
    draw: Callable[..., Tensor]
    seen: float = 1.0
    draws: Callable[[Wanted], bool] = lambda wanted: True
    network: Callable[[Wanted], nn.Module] = attrgetter("network")
