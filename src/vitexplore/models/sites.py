"""Where features live, and reading them: ``[image, position, channel]`` without prefix tokens.

Sites: ``ffn`` (the feed-forward's inner activation, after its nonlinearity), ``query``, ``key``,
``value`` (all heads side by side), ``attention_out`` (the attention's projected output), ``block`` (the
residual stream after the block) and, for CNNs, ``channel``. Reading runs nothing after the last site
that is asked for.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import torch
from open_clip.transformer import VisionTransformer as OpenClipViT
from timm.layers import Mlp
from timm.models import VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import linear

from vitexplore.errors import InputError
from vitexplore.models.registry import Model

TRANSFORMER_SITES = ("ffn", "query", "key", "value", "attention_out", "block")
QKV = ("query", "key", "value")


@dataclass(frozen=True)
class Site:
    """A kind of place in the network and the block it is in, counted from 0."""

    kind: str
    block: int


@dataclass(frozen=True)
class Activations:
    """``bpc`` float [images, positions, channels]; positions in row-major order on ``grid`` (h, w)."""

    bpc: Tensor
    grid: tuple[int, int]


@dataclass(frozen=True)
class _Tap:
    """The module whose output is caught, and how that output becomes Activations."""

    module: nn.Module
    convert: Callable[[Tensor], Activations]


class _Stop(Exception):
    """Ends a forward pass once everything that was asked for has been caught."""


def sites(model: Model) -> dict[str, int]:
    """Site kinds of ``model`` with the number of blocks that have them. Raises InputError for an
    architecture whose sites are not known."""
    blocks = blocks_of(model.trunk)
    if not model.is_vit:
        kinds = ("channel",)
    elif isinstance(model.trunk, OpenClipViT):
        kinds = TRANSFORMER_SITES
    else:
        kinds = tuple(kind for kind in TRANSFORMER_SITES if all(_timm_block_has(block, kind) for block in blocks))
    return dict.fromkeys(kinds, len(blocks))


def read(model: Model, site: Site, images: Tensor) -> Activations:
    """The activations at ``site`` for preprocessed ``images`` [b, 3, h, w]; differentiable."""
    return read_many(model, [site], images)[site]


def read_many(model: Model, wanted: Iterable[Site], images: Tensor) -> dict[Site, Activations]:
    """All ``wanted`` sites in one pass, which ends at the deepest of them. Raises InputError for a site
    or block that the model lacks."""
    taps = {site: _tap(model, site) for site in wanted}
    found: dict[Site, Activations] = {}

    def catch(site: Site, tap: _Tap) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            found[site] = tap.convert(output[0] if isinstance(output, tuple) else output)
            if len(found) == len(taps):
                raise _Stop

        return hook

    with ExitStack() as stack:
        for site, tap in taps.items():
            stack.callback(tap.module.register_forward_hook(catch(site, tap)).remove)
        with suppress(_Stop):
            model.trunk(images)
    return found


def channels(model: Model, site: Site) -> int:
    """How many features ``site`` has."""
    return _probe(model, site).bpc.shape[2]


def _probe(model: Model, site: Site) -> Activations:
    size = model.spec.input_size
    with torch.no_grad():
        return read(model, site, torch.zeros(1, 3, size, size, device=model.device))


def blocks_of(trunk: nn.Module) -> list[nn.Module]:
    """The residual blocks (transformers) or stages' blocks (CNNs) of a model's trunk, first to last."""
    if isinstance(trunk, VisionTransformer):
        return list(trunk.blocks)
    if isinstance(trunk, OpenClipViT):
        return list(trunk.transformer.resblocks)
    if hasattr(trunk, "layer4"):  # ResNets of timm, torchvision and open_clip
        return [block for stage in range(1, 5) for block in getattr(trunk, f"layer{stage}")]
    if isinstance(getattr(trunk, "blocks", None), nn.Sequential):  # timm's EfficientNet and MobileNet kin
        return [block for stage in trunk.blocks for block in stage]
    features = getattr(trunk, "features", None)
    if isinstance(features, nn.Sequential):
        dense = [module for name, module in features.named_children() if name.startswith("denseblock")]
        return dense or list(features)
    raise InputError(f"{type(trunk).__name__}: its blocks are not known; add it to models/sites.py")


def _tap(model: Model, site: Site) -> _Tap:
    available = sites(model)
    if site.kind not in available:
        raise InputError(f"{model.spec.name} has no site {site.kind!r}; it has {', '.join(available)}")
    if not 0 <= site.block < available[site.kind]:
        raise InputError(f"{model.spec.name} has blocks 0 to {available[site.kind] - 1}, not {site.block}")
    block = blocks_of(model.trunk)[site.block]
    if site.kind == "channel":
        return _Tap(block, _from_maps)
    if isinstance(model.trunk, OpenClipViT):
        return _tap_open_clip(model.trunk, block, site.kind)
    return _tap_timm(model.trunk, block, site.kind)


def _timm_block_has(block: nn.Module, kind: str) -> bool:
    """Parallel blocks keep no separate attention, gated feed-forwards no single inner activation."""
    if kind == "ffn":
        return isinstance(getattr(block, "mlp", None), Mlp)
    if kind in QKV:
        return hasattr(getattr(block, "attn", None), "qkv")
    return kind == "block" or hasattr(block, "attn")


def _tap_timm(trunk: VisionTransformer, block: nn.Module, kind: str) -> _Tap:
    tokens = _without_prefix(trunk.num_prefix_tokens, trunk.patch_embed.grid_size)
    if kind in QKV:
        part = QKV.index(kind)
        return _Tap(block.attn.qkv, lambda out: tokens(out.chunk(3, dim=-1)[part]))
    module = {"ffn": lambda: block.mlp.act, "attention_out": lambda: block.attn, "block": lambda: block}[kind]()
    return _Tap(module, tokens)


def _tap_open_clip(trunk: OpenClipViT, block: nn.Module, kind: str) -> _Tap:
    tokens = _without_prefix(1, trunk.grid_size)
    first = trunk.transformer.batch_first

    def convert(out: Tensor) -> Activations:
        return tokens(out if first else out.transpose(0, 1))

    if kind in QKV:
        part, attention = QKV.index(kind), block.attn

        def project(normed: Tensor) -> Activations:
            weight, bias = (t.chunk(3)[part] for t in (attention.in_proj_weight, attention.in_proj_bias))
            return convert(linear(normed, weight, bias))

        return _Tap(block.ln_1, project)
    module = {"ffn": lambda: block.mlp.gelu, "attention_out": lambda: block.attn, "block": lambda: block}[kind]()
    return _Tap(module, convert)


def _without_prefix(prefix: int, grid: tuple[int, int]) -> Callable[[Tensor], Activations]:
    return lambda bnc: Activations(bnc[:, prefix:], tuple(grid))


def _from_maps(bchw: Tensor) -> Activations:
    return Activations(bchw.flatten(2).transpose(1, 2), (bchw.shape[2], bchw.shape[3]))
