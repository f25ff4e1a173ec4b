"""Where each architecture keeps its sites, and how what a module yields there becomes ``[image, position, channel]``.

One function a family, from a trunk to the taps of its blocks, counted through all stages in forward order.
Positions come in row-major order: what an architecture keeps in windows (Swin, Twins) is put back in the image,
the shift undone and the padding cropped. A grid follows from the size of the images that are read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

from open_clip.transformer import VisionTransformer as OpenClipViT
from timm.layers import Mlp
from timm.models import VisionTransformer
from timm.models.coat import CoaT
from timm.models.convit import GPSA, ConVit
from timm.models.pit import PoolingVisionTransformer
from timm.models.swin_transformer import PatchMerging, SwinTransformer
from timm.models.twins import GlobalSubSampleAttn, LocallyGroupedAttn, Twins
from torch import Tensor, nn
from torch.nn.functional import linear
from torchvision.models import SwinTransformer as TorchvisionSwin

from vitexplore.errors import InputError

TRANSFORMER_SITES = ("ffn", "query", "key", "value", "attention_out", "block")
QKV = ("query", "key", "value")

Size = tuple[int, int]
GridOf = Callable[[Size], Size]  # from the images' height and width to the grid of positions


@dataclass(frozen=True)
class Activations:
    """``bpc`` float [images, positions, channels]; positions in row-major order on ``grid`` (h, w)."""

    bpc: Tensor
    grid: Size


Convert = Callable[[Any, Size], Activations]


@dataclass(frozen=True)
class Tap:
    """The module whose output is caught, at its ``call``-th call in a pass, and how that output becomes
    Activations, given the images' height and width."""

    module: nn.Module
    convert: Convert
    call: int = 0


Taps = dict[str, Tap]  # of one block, by site kind; a kind that the block lacks is not in it


def taps_of(trunk: nn.Module) -> list[Taps]:
    """The taps of each block of ``trunk``, first to last. Raises InputError for an unknown architecture."""
    for kind, family in _FAMILIES.items():
        if isinstance(trunk, kind):
            return family(trunk)
    return [{"channel": Tap(block, _from_maps)} for block in _cnn_blocks(trunk)]


def blocks_of(trunk: nn.Module) -> list[nn.Module]:
    """The module of each block of a model's trunk, first to last: residual blocks (transformers) or stages'
    blocks (CNNs). One that works on several scales (CoaT's parallel blocks) stands once for each. Raises
    InputError for an unknown architecture."""
    return [(taps.get("block") or taps["channel"]).module for taps in taps_of(trunk)]


def _vit(trunk: VisionTransformer) -> list[Taps]:
    tokens = _tokens(trunk.num_prefix_tokens, trunk.patch_embed.dynamic_feat_size)
    return [_timm_taps(block, getattr(block, "attn", None), tokens) for block in trunk.blocks]


def _open_clip(trunk: OpenClipViT) -> list[Taps]:
    prefix = len(trunk.positional_embedding) - prod(trunk.grid_size)
    tokens, first = _tokens(prefix, _through(trunk.conv1)), trunk.transformer.batch_first

    def convert(out: Tensor, size: Size) -> Activations:
        return tokens(out if first else out.transpose(0, 1), size)

    return [_open_clip_taps(block, convert) for block in trunk.transformer.resblocks]


def _open_clip_taps(block: nn.Module, convert: Convert) -> Taps:
    """torch's attention projects inside one call, so queries, keys and values are projected anew from its input."""

    def projection(part: int) -> Convert:
        def project(normed: Tensor, size: Size) -> Activations:
            weight, bias = (t.chunk(3)[part] for t in (block.attn.in_proj_weight, block.attn.in_proj_bias))
            return convert(linear(normed, weight, bias), size)

        return project

    return {
        "ffn": Tap(block.mlp.gelu, convert),
        **{kind: Tap(block.ln_1, projection(part)) for part, kind in enumerate(QKV)},
        "attention_out": Tap(block.attn, lambda out, size: convert(out[0], size)),
        "block": Tap(block, convert),
    }


def _convit(trunk: ConVit) -> list[Taps]:
    """CLS joins the patches after the blocks of gated positional attention."""
    grid = trunk.patch_embed.dynamic_feat_size
    local, joined = _tokens(0, grid), _tokens(trunk.num_prefix_tokens, grid)
    return [
        _timm_taps(block, block.attn, local if number < trunk.local_up_to_layer else joined)
        for number, block in enumerate(trunk.blocks)
    ]


def _pit(trunk: PoolingVisionTransformer) -> list[Taps]:
    blocks, convolutions = [], [trunk.patch_embed.conv]
    for stage in trunk.transformers:
        if stage.pool is not None:
            convolutions.append(stage.pool.conv)
        tokens = _tokens(trunk.num_tokens, _through(*convolutions))
        blocks += [_timm_taps(block, block.attn, tokens) for block in stage.blocks]
    return blocks


def _coat(trunk: CoaT) -> list[Taps]:
    """Serial blocks scale by scale, then (CoaT without "lite") parallel blocks, each once for each of its scales."""
    blocks, convolutions, tokens = [], [], {}
    for scale in (1, 2, 3, 4):
        convolutions.append(getattr(trunk, f"patch_embed{scale}").proj)
        tokens[scale] = _tokens(getattr(trunk, f"cls_token{scale}").shape[1], _through(*convolutions))
        for block in getattr(trunk, f"serial_blocks{scale}"):
            blocks.append(_timm_taps(block, block.factoratt_crpe, tokens[scale]))
    for block in trunk.parallel_blocks or ():
        blocks += [_coat_parallel(block, scale, call, tokens[scale]) for call, scale in enumerate((2, 3, 4))]
    return blocks


def _coat_parallel(block: nn.Module, scale: int, call: int, tokens: Convert) -> Taps:
    """The scales have an attention of their own and share the feed-forward, which is called once for each."""
    attention = getattr(block, f"factoratt_crpe{scale}")
    return {
        "ffn": Tap(getattr(block, f"mlp{scale}").act, tokens, call),
        **_projections(attention, tokens),
        "attention_out": Tap(attention, tokens),
        "block": Tap(block, lambda scales, size: tokens(scales[scale - 1], size)),
    }


def _swin(trunk: SwinTransformer) -> list[Taps]:
    """Attention works in windows; the feed-forward on positions in order; the blocks' stream is [b, h, w, c]."""
    blocks, grid = [], trunk.patch_embed.dynamic_feat_size
    for stage in trunk.layers:
        if isinstance(stage.downsample, PatchMerging):
            grid = _halved(grid)
        for block in stage.blocks:
            windows = _windows(grid, block.window_size, block.shift_size)
            outside = {"ffn": Tap(block.mlp.act, _tokens(0, grid)), "block": Tap(block, _from_channels_last)}
            blocks.append(_timm_taps(block, block.attn, windows) | outside)
    return blocks


def _twins(trunk: Twins) -> list[Taps]:
    """Local attention projects in windows; global attention takes keys and values from a subsampled grid."""
    blocks, convolutions = [], []
    for embed, stage in zip(trunk.patch_embeds, trunk.blocks, strict=True):
        convolutions.append(embed.proj)
        grid = _through(*convolutions)
        for block in stage:
            taps, attention = _timm_taps(block, block.attn, _tokens(0, grid)), block.attn
            if isinstance(attention, LocallyGroupedAttn):
                taps |= _projections(attention, _windows(grid, (attention.ws, attention.ws), (0, 0)))
            elif attention.sr is not None:
                coarse = _projections(attention, _tokens(0, _through(*convolutions, attention.sr)))
                taps |= {kind: coarse[kind] for kind in ("key", "value")}
            blocks.append(taps)
    return blocks


_FAMILIES: dict[type[nn.Module], Callable[[Any], list[Taps]]] = {
    VisionTransformer: _vit,
    OpenClipViT: _open_clip,
    ConVit: _convit,
    PoolingVisionTransformer: _pit,
    CoaT: _coat,
    SwinTransformer: _swin,
    Twins: _twins,
}
TRANSFORMERS = tuple(_FAMILIES)


def _cnn_blocks(trunk: nn.Module) -> list[nn.Module]:
    if hasattr(trunk, "layer4"):  # ResNets of timm, torchvision and open_clip
        return [block for stage in range(1, 5) for block in getattr(trunk, f"layer{stage}")]
    stages = getattr(trunk, "blocks", None)
    if isinstance(stages, nn.Sequential) and all(isinstance(stage, nn.Sequential) for stage in stages):
        return [block for stage in stages for block in stage]  # timm's EfficientNet and MobileNet kin
    features = getattr(trunk, "features", None)
    if isinstance(features, nn.Sequential) and not isinstance(trunk, TorchvisionSwin):  # its channels lie last
        dense = [module for name, module in features.named_children() if name.startswith("denseblock")]
        return dense or list(features)
    raise InputError(f"{type(trunk).__name__}: its blocks are not known; add it to models/families.py")


def _timm_taps(block: nn.Module, attention: nn.Module | None, tokens: Convert) -> Taps:
    """Parallel blocks keep no separate attention, gated feed-forwards no single inner activation."""
    taps = {"block": Tap(block, tokens)}
    if isinstance(getattr(block, "mlp", None), Mlp):
        taps["ffn"] = Tap(block.mlp.act, tokens)
    if attention is not None:
        taps |= {"attention_out": Tap(attention, tokens), **_projections(attention, tokens)}
    return taps


def _projections(attention: nn.Module, tokens: Convert) -> Taps:
    """Queries, keys and values, from the linear layers that yield one or several of them side by side."""
    layers: dict[nn.Module, tuple[str, ...]] = {}
    if hasattr(attention, "qkv"):
        layers = {attention.qkv: QKV}
    elif isinstance(attention, GPSA):
        layers = {attention.qk: ("query", "key"), attention.v: ("value",)}
    elif isinstance(attention, GlobalSubSampleAttn):
        layers = {attention.q: ("query",), attention.kv: ("key", "value")}
    return {
        kind: Tap(layer, _part(number, len(kinds), tokens))
        for layer, kinds in layers.items()
        for number, kind in enumerate(kinds)
    }


def _part(number: int, parts: int, convert: Convert) -> Convert:
    return lambda out, size: convert(out.chunk(parts, dim=-1)[number], size)


def _tokens(prefix: int, grid: GridOf) -> Convert:
    return lambda bnc, size: Activations(bnc[:, prefix:], tuple(grid(size)))


def _windows(grid: GridOf, window: Size, shift: Size) -> Convert:
    """From windows, and positions in each, both in row-major order. They tile the image rolled up and left by
    ``shift``, padded at the bottom and the right."""

    def convert(windows: Tensor, size: Size) -> Activations:
        height, width = grid(size)
        tiles = (ceil(height / window[0]), ceil(width / window[1]))
        tiled = windows.reshape(-1, *tiles, *window, windows.shape[-1])
        padded = tiled.transpose(2, 3).flatten(3, 4).flatten(1, 2)
        return _from_channels_last(padded[:, :height, :width].roll(shift, dims=(1, 2)), size)

    return convert


def _from_channels_last(bhwc: Tensor, _size: Size) -> Activations:
    return Activations(bhwc.flatten(1, 2), (bhwc.shape[1], bhwc.shape[2]))


def _from_maps(bchw: Tensor, _size: Size) -> Activations:
    if bchw.requires_grad:  # of one image, torch 2.14's batch norm takes a gradient in another layout for garbage
        bchw.register_hook(Tensor.contiguous)
    return Activations(bchw.flatten(2).transpose(1, 2), (bchw.shape[2], bchw.shape[3]))


def _through(*convolutions: nn.Conv2d) -> GridOf:
    """The grid that convolutions leave of an image, one after the other."""

    def grid(size: Size) -> Size:
        for conv in convolutions:
            sides = zip(size, conv.kernel_size, conv.stride, conv.padding, strict=True)
            height, width = ((side + 2 * padding - kernel) // stride + 1 for side, kernel, stride, padding in sides)
            size = (height, width)
        return size

    return grid


def _halved(grid: GridOf) -> GridOf:
    """Two by two positions merged into one, an odd side padded."""

    def halved(size: Size) -> Size:
        height, width = grid(size)
        return ceil(height / 2), ceil(width / 2)

    return halved
