"""Any Python function of activations as an objective."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from torch import Tensor

from vitexplore.errors import InputError
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site
from vitexplore.visualize.objective import Maps, Objective, Sizes


@dataclass(frozen=True)
class Custom(Objective):
    """``function`` of the activations at ``sites`` (LOGITS among them, if wanted). It takes {site: [f, k, p, c]}, or
    the one tensor of a single site: k images of each feature, positions row-major. It returns [f, k], and values every
    image by that image alone, all features alike: they differ by the random stream of their label. It must depend on
    tensors alone: on a GPU its Python code runs in the first two steps, and what it did is replayed.

    ``name`` stands for the function wherever the objective is told from another: a checkpoint of one name goes on with
    whatever function has that name. Give a changed function a new name."""

    name: str
    sites: tuple[Site, ...]
    function: Callable[[Maps | Tensor], Tensor] = field(compare=False)
    labels: tuple[int, ...] = (0,)

    def take(self, part: slice) -> "Custom":
        return replace(self, labels=self.labels[part])

    def prepare(self, model: Model, sizes: Sizes) -> Callable[[Maps], Tensor]:
        first, *others = self.sites

        def value(maps: Maps) -> Tensor:
            found = self.function({site: maps[site] for site in self.sites} if others else maps[first])
            if found.shape != (wanted := maps[first].shape[:2]):
                shapes = f"{list(found.shape)}, not [features, copies] = {list(wanted)}"
                raise InputError(f"custom objective {self.name!r} returns {shapes}")
            return found

        return value
