"""Where features live, and reading them: ``[image, position, channel]`` without prefix tokens.

Sites: ``ffn`` (the feed-forward's inner activation, after its nonlinearity), ``query``, ``key``,
``value`` (what the linear projections yield, all heads side by side), ``attention_out`` (the attention's projected
output), ``block`` (the residual stream after the block) and, for CNNs, ``channel``. Blocks are counted through all
stages. Reading runs nothing after the last site that is asked for.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from vitexplore.errors import InputError
from vitexplore.models.families import TRANSFORMER_SITES, Activations, Size, Tap, Taps, blocks_of, taps_of
from vitexplore.models.registry import Model

__all__ = [
    "TRANSFORMER_SITES",
    "Activations",
    "Site",
    "blocks_of",
    "channels",
    "grid",
    "read",
    "read_many",
    "read_with_output",
    "shapes",
    "sites",
]


@dataclass(frozen=True)
class Site:
    """A kind of place in the network and the block it is in, counted from 0."""

    kind: str
    block: int


class _Stop(Exception):
    """Ends a forward pass once everything that was asked for has been caught."""


def sites(model: Model) -> dict[str, int]:
    """Site kinds of ``model`` with the number of blocks that have them: those that every block has. Raises
    InputError for an architecture whose sites are not known."""
    return _kinds(taps_of(model.trunk))


def read(model: Model, site: Site, images: Tensor) -> Activations:
    """The activations at ``site`` for preprocessed ``images`` [b, 3, h, w]; differentiable."""
    return read_many(model, [site], images)[site]


def _as_it_is(_site: Site, found: Activations) -> Activations:
    return found


def read_many(
    model: Model,
    wanted: Iterable[Site],
    images: Tensor,
    keep: Callable[[Site, Activations], Any] = _as_it_is,
    leak: float = 0.0,
) -> dict[Site, Any]:
    """All ``wanted`` sites in one pass, which ends at the deepest of them: of each what ``keep`` makes of the site and
    its activations, as soon as they are there, so that a pass need not hold those of all sites at once. ``leak`` is
    added to the slope of the nonlinearity at `ffn` sites, in the gradient alone: the values stay. Raises InputError for
    a site or block that the model lacks."""
    with _caught(model, wanted, images, keep, leak, stop=True) as found, suppress(_Stop):
        model.trunk(images)
    return found


def read_with_output(
    model: Model, wanted: Iterable[Site], images: Tensor, leak: float = 0.0
) -> tuple[dict[Site, Activations], Tensor]:
    """The activations at ``wanted`` sites and what the whole model yields (a classifier's logits [b, classes]), in one
    pass; differentiable, with ``leak`` as in ``read_many``. Raises InputError for a site or block that the model
    lacks."""
    with _caught(model, wanted, images, _as_it_is, leak, stop=False) as found:
        output = model.module(images)
    return found, output


@contextmanager
def _caught(
    model: Model,
    wanted: Iterable[Site],
    images: Tensor,
    keep: Callable[[Site, Activations], Any],
    leak: float,
    stop: bool,
) -> Iterator[dict[Site, Any]]:
    """While it is open, a pass over ``images`` fills the dictionary with what ``keep`` makes of ``wanted`` sites. With
    ``stop``, _Stop ends the pass as soon as all are there."""
    blocks = taps_of(model.trunk)
    taps = {site: _tap(model, blocks, site) for site in wanted}
    found: dict[Site, Any] = {}

    def catch(site: Site, tap: Tap) -> Callable[..., None]:
        calls = count()

        def hook(_module: nn.Module, inputs: Any, output: Any) -> None:
            if next(calls) == tap.call:
                if leak and site.kind == "ffn":
                    output = output + leak * (inputs[0] - inputs[0].detach())
                found[site] = keep(site, tap.convert(output, (images.shape[2], images.shape[3])))
            if stop and len(found) == len(taps):
                raise _Stop

        return hook

    with ExitStack() as stack:
        for site, tap in taps.items():
            stack.callback(tap.module.register_forward_hook(catch(site, tap)).remove)
        yield found


def channels(model: Model, site: Site) -> int:
    """How many features ``site`` has."""
    return shapes(model, [site])[site][0]


def grid(model: Model, site: Site) -> Size:
    """Rows and columns of the positions at ``site``."""
    return shapes(model, [site])[site][1]


@torch.no_grad()
def shapes(model: Model, wanted: Collection[Site]) -> dict[Site, tuple[int, Size]]:
    """Of each of ``wanted``, in their order, how many features it has, and its grid (rows, columns) at the model's
    input size. Raises InputError for a site or block that the model lacks."""
    size = model.spec.input_size
    blank = torch.zeros(1, 3, size, size, device=model.device)
    found = read_many(model, wanted, blank, lambda _site, found: (found.bpc.shape[2], found.grid))
    return {site: found[site] for site in wanted}


def _kinds(blocks: list[Taps]) -> dict[str, int]:
    kinds = [kind for kind in (*TRANSFORMER_SITES, "channel") if all(kind in taps for taps in blocks)]
    return dict.fromkeys(kinds, len(blocks))


def _tap(model: Model, blocks: list[Taps], site: Site) -> Tap:
    available = _kinds(blocks)
    if site.kind not in available:
        raise InputError(f"{model.spec.name} has no site {site.kind!r}; it has {', '.join(available)}")
    if not 0 <= site.block < available[site.kind]:
        raise InputError(f"{model.spec.name} has blocks 0 to {available[site.kind] - 1}, not {site.block}")
    return blocks[site.block][site.kind]
