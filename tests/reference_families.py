"""The forward passes of DeiT, ConViT, PiT, CoaT, Swin and Twins written out slowly, from the weights of timm's modules.

Each gives, block by block, every site's values as maps [b, h, w, c]. No window is ever cut out: all pixels attend to
each other, under a mask that forbids those of another window.
"""

from math import ceil, sqrt

import torch
from reference_vit import gelu, layer_norm
from timm.models.coat import CoaT
from timm.models.convit import ConVit
from timm.models.deit import VisionTransformerDistilled
from timm.models.pit import PoolingVisionTransformer
from timm.models.swin_transformer import PatchMerging, SwinTransformer
from timm.models.twins import LocallyGroupedAttn, Twins
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

Values = dict[str, Tensor]


def slow(trunk: nn.Module, images: Tensor) -> list[Values]:
    """``images`` [b, 3, h, w]."""
    forward = {
        VisionTransformerDistilled: deit,
        ConVit: convit,
        PoolingVisionTransformer: pit,
        CoaT: coat,
        SwinTransformer: swin,
        Twins: twins,
    }[type(trunk)]
    return forward(trunk, images.permute(0, 2, 3, 1))


def linear(x: Tensor, layer: nn.Linear) -> Tensor:
    return x @ layer.weight.T + (0 if layer.bias is None else layer.bias)


def convolve(conv: nn.Conv2d, bhwc: Tensor) -> Tensor:
    """One dot product a place; channels all together or each on its own."""
    (kernel, _), (stride, _), (padding, _) = conv.kernel_size, conv.stride, conv.padding
    x = pad(bhwc, (0, 0, padding, padding, padding, padding))
    rows, columns = ((side - kernel) // stride + 1 for side in x.shape[1:3])
    inputs = x.shape[3]
    weight = conv.weight if conv.groups == 1 else conv.weight.unflatten(0, (inputs, -1))
    out = x.new_empty(len(x), rows, columns, conv.out_channels)
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride, column * stride
            area = x[:, top : top + kernel, left : left + kernel]
            if conv.groups == 1:
                out[:, row, column] = torch.einsum("bijc,ocij->bo", area, weight)
            else:
                out[:, row, column] = torch.einsum("bijc,cmij->bcm", area, weight.squeeze(2)).flatten(1)
    return out + (0 if conv.bias is None else conv.bias)


def softmax(x: Tensor, dim: int) -> Tensor:
    weights = (x - x.amax(dim, keepdim=True)).exp()
    return weights / weights.sum(dim, keepdim=True)


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """``bias`` [heads, queries, keys] is added to the scores."""
    mixed = []
    parts = (tensor.chunk(len(bias), -1) for tensor in (query, key, value))
    for q, k, v, extra in zip(*parts, bias, strict=True):
        mixed.append(softmax(q @ k.transpose(1, 2) / sqrt(q.shape[-1]) + extra, -1) @ v)
    return torch.cat(mixed, dim=-1)


def after_attention(x: Tensor, attention_out: Tensor, norm: nn.LayerNorm, mlp: nn.Module) -> Values:
    middle = x + attention_out
    ffn = gelu(linear(layer_norm(middle, norm), mlp.fc1))
    return {"attention_out": attention_out, "ffn": ffn, "block": middle + linear(ffn, mlp.fc2)}


def project(normed: Tensor, layer: nn.Linear) -> Values:
    return dict(zip(("query", "key", "value"), linear(normed, layer).chunk(3, -1), strict=True))


def plain_block(block: nn.Module, x: Tensor) -> Values:
    qkv = project(layer_norm(x, block.norm1), block.attn.qkv)
    attention_out = linear(attend(**qkv, bias=torch.zeros(block.attn.num_heads, 1, 1)), block.attn.proj)
    return qkv | after_attention(x, attention_out, block.norm2, block.mlp)


def maps(values: Values, prefix: int, grid: tuple[int, int]) -> Values:
    return {kind: value[:, prefix:].unflatten(1, grid) for kind, value in values.items()}


def with_prefix(prefix: Tensor, bhwc: Tensor) -> Tensor:
    return torch.cat([prefix.expand(len(bhwc), -1, -1), bhwc.flatten(1, 2)], dim=1)


def deit(trunk: VisionTransformerDistilled, bhwc: Tensor) -> list[Values]:
    x = convolve(trunk.patch_embed.proj, bhwc)
    grid = x.shape[1:3]
    tokens = with_prefix(torch.cat([trunk.cls_token, trunk.dist_token], dim=1), x) + trunk.pos_embed
    found = []
    for block in trunk.blocks:
        values = plain_block(block, tokens)
        tokens = values["block"]
        found.append(maps(values, 2, grid))
    return found


def pit(trunk: PoolingVisionTransformer, bhwc: Tensor) -> list[Values]:
    x, prefix = convolve(trunk.patch_embed.conv, bhwc) + trunk.pos_embed.permute(0, 2, 3, 1), trunk.cls_token
    count = prefix.shape[1]
    found = []
    for stage in trunk.transformers:
        if stage.pool is not None:
            x, prefix = convolve(stage.pool.conv, x), linear(prefix, stage.pool.fc)
        tokens, grid = with_prefix(prefix, x), x.shape[1:3]
        for block in stage.blocks:
            values = plain_block(block, tokens)
            tokens = values["block"]
            found.append(maps(values, count, grid))
        prefix, x = tokens[:, :count], tokens[:, count:].unflatten(1, grid)
    return found


def convit(trunk: ConVit, bhwc: Tensor) -> list[Values]:
    x = convolve(trunk.patch_embed.proj, bhwc)
    grid = x.shape[1:3]
    tokens, prefix = x.flatten(1, 2) + trunk.pos_embed, 0
    found = []
    for number, block in enumerate(trunk.blocks):
        if number == trunk.local_up_to_layer:
            tokens, prefix = torch.cat([trunk.cls_token.expand(len(x), -1, -1), tokens], dim=1), 1
        values = gated_block(block, tokens, grid) if prefix == 0 else plain_block(block, tokens)
        tokens = values["block"]
        found.append(maps(values, prefix, grid))
    return found


def gated_block(block: nn.Module, x: Tensor, grid: tuple[int, int]) -> Values:
    """Attention by content and attention by place, each head with its own share of either."""
    attention, normed = block.attn, layer_norm(x, block.norm1)
    query, key = linear(normed, attention.qk).chunk(2, -1)
    value = linear(normed, attention.v)
    rows, columns = (places(grid)[None, :] - places(grid)[:, None]).unbind(-1)
    by_place = softmax(linear(torch.stack([columns, rows, rows**2 + columns**2], -1).float(), attention.pos_proj), 1)
    mixed = []
    heads = (tensor.chunk(attention.num_heads, -1) for tensor in (query, key, value))
    for number, (q, k, v) in enumerate(zip(*heads, strict=True)):
        gate = torch.sigmoid(attention.gating_param[number])
        by_content = softmax(q @ k.transpose(1, 2) / sqrt(q.shape[-1]), -1)
        mixed.append(((1 - gate) * by_content + gate * by_place[..., number]) @ v)
    attention_out = linear(torch.cat(mixed, dim=-1), attention.proj)
    values = after_attention(x, attention_out, block.norm2, block.mlp)
    return {"query": query, "key": key, "value": value} | values


def places(grid: tuple[int, int]) -> Tensor:
    """Row and column of each position, int64 [p, 2]."""
    return torch.tensor([(row, column) for row in range(grid[0]) for column in range(grid[1])])


def coat(trunk: CoaT, bhwc: Tensor) -> list[Values]:
    found, streams, grids = [], {}, {}
    for scale in (1, 2, 3, 4):
        embed = getattr(trunk, f"patch_embed{scale}")
        bhwc = layer_norm(convolve(embed.proj, bhwc), embed.norm)
        grid = grids[scale] = bhwc.shape[1:3]
        x = with_prefix(getattr(trunk, f"cls_token{scale}"), bhwc)
        for block in getattr(trunk, f"serial_blocks{scale}"):
            x = positioned(block.cpe, x, grid)
            qkv, attention_out = factor_attention(block.factoratt_crpe, layer_norm(x, block.norm1), grid)
            values = qkv | after_attention(x, attention_out, block.norm2, block.mlp)
            x = values["block"]
            found.append(maps(values, 1, grid))
        streams[scale], bhwc = x, x[:, 1:].unflatten(1, grid)
    for block in trunk.parallel_blocks or ():
        for scale in (2, 3, 4):
            streams[scale] = positioned(getattr(trunk, f"cpe{scale}"), streams[scale], grids[scale])
        for scale, values in parallel_block(block, streams, grids).items():
            streams[scale] = values["block"]
            found.append(maps(values, 1, grids[scale]))
    return found


def positioned(encoding: nn.Module, x: Tensor, grid: tuple[int, int]) -> Tensor:
    patches = x[:, 1:].unflatten(1, grid)
    return with_prefix(x[:, :1], patches + convolve(encoding.proj, patches))


def factor_attention(attention: nn.Module, normed: Tensor, grid: tuple[int, int]) -> tuple[Values, Tensor]:
    qkv = project(normed, attention.qkv)
    mixed = []
    heads = (tensor.chunk(attention.num_heads, -1) for tensor in qkv.values())
    for q, k, v in zip(*heads, strict=True):
        mixed.append(q @ (softmax(k, 1).transpose(1, 2) @ v) / sqrt(q.shape[-1]))
    parts = qkv["value"][:, 1:].unflatten(1, grid).split(attention.crpe.channel_splits, dim=-1)
    near = torch.cat([convolve(conv, part) for conv, part in zip(attention.crpe.conv_list, parts, strict=True)], -1)
    relative = pad(qkv["query"][:, 1:] * near.flatten(1, 2), (0, 0, 1, 0))
    return qkv, linear(torch.cat(mixed, dim=-1) + relative, attention.proj)


def parallel_block(
    block: nn.Module, streams: dict[int, Tensor], grids: dict[int, tuple[int, int]]
) -> dict[int, Values]:
    """Each scale adds the other scales' attention, resized to its own grid, to its own."""
    found, attended = {}, {}
    for scale in (2, 3, 4):
        normed = layer_norm(streams[scale], getattr(block, f"norm1{scale}"))
        attention = getattr(block, f"factoratt_crpe{scale}")
        found[scale], attended[scale] = factor_attention(attention, normed, grids[scale])
    for scale in (2, 3, 4):
        mixed = sum(resized(attended[other], grids[other], grids[scale]) for other in (2, 3, 4))
        norm, mlp = getattr(block, f"norm2{scale}"), getattr(block, f"mlp{scale}")
        found[scale] |= after_attention(streams[scale], mixed, norm, mlp) | {"attention_out": attended[scale]}
    return found


def resized(x: Tensor, grid: tuple[int, int], wanted: tuple[int, int]) -> Tensor:
    bchw = x[:, 1:].unflatten(1, grid).permute(0, 3, 1, 2)
    return with_prefix(x[:, :1], interpolate(bchw, size=wanted, mode="bilinear").permute(0, 2, 3, 1))


def swin(trunk: SwinTransformer, bhwc: Tensor) -> list[Values]:
    found = []
    x = layer_norm(convolve(trunk.patch_embed.proj, bhwc), trunk.patch_embed.norm)
    for stage in trunk.layers:
        if isinstance(stage.downsample, PatchMerging):
            x = merged(stage.downsample, x)
        for block in stage.blocks:
            attention, normed = block.attn, layer_norm(x, block.norm1)
            mixed = in_windows(
                normed,
                attention.qkv,
                attention.num_heads,
                block.window_size,
                block.shift_size,
                attention.relative_position_bias_table,
            )
            values = after_attention(x, linear(mixed, attention.proj), block.norm2, block.mlp)
            found.append(project(normed, attention.qkv) | values)
            x = values["block"]
    return found


def merged(merging: PatchMerging, x: Tensor) -> Tensor:
    x = pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
    corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
    return linear(layer_norm(torch.cat(corners, dim=-1), merging.norm), merging.reduction)


def in_windows(
    normed: Tensor,
    layer: nn.Linear,
    heads: int,
    window: tuple[int, int],
    shift: tuple[int, int] = (0, 0),
    table: Tensor | None = None,
) -> Tensor:
    """Attention, not yet projected, of each pixel of ``normed`` [b, h, w, c] to those of its window. Windows lie on a
    frame: the image rolled by ``shift`` and padded with zeros. Pixels that the roll brought together stay apart."""
    frame = tuple(ceil(side / size) * size for side, size in zip(normed.shape[1:3], window, strict=True))
    row, column = (
        (torch.arange(side) - by) % side for side, by in zip(normed.shape[1:3], shift, strict=True)
    )  # where in the frame each of the image's rows and columns is
    padded = normed.new_zeros(len(normed), *frame, normed.shape[3])
    padded[:, row[:, None], column] = normed
    place, size = places(frame), torch.tensor(window)
    rolled = place >= torch.tensor(frame) - torch.tensor(shift)
    group = torch.cat([place // size, rolled], dim=1)
    together = (group[:, None] == group[None]).all(-1)
    bias = torch.zeros(heads, *together.shape)
    if table is not None:
        down, right = (place[:, None] - place[None] + size - 1).unbind(-1)
        bias[:, together] = table[(down * (2 * size[1] - 1) + right)[together]].T
    bias = bias.masked_fill(~together, -torch.inf)
    mixed = attend(**project(padded.flatten(1, 2), layer), bias=bias).unflatten(1, frame)
    return mixed[:, row[:, None], column]


def twins(trunk: Twins, bhwc: Tensor) -> list[Values]:
    found, x = [], bhwc
    for embed, stage, positions in zip(trunk.patch_embeds, trunk.blocks, trunk.pos_block, strict=True):
        x = layer_norm(convolve(embed.proj, x), embed.norm)
        for number, block in enumerate(stage):
            attention, normed = block.attn, layer_norm(x, block.norm1)
            if isinstance(attention, LocallyGroupedAttn):
                qkv = project(normed, attention.qkv)
                mixed = in_windows(normed, attention.qkv, attention.num_heads, (attention.ws, attention.ws))
            else:
                qkv, mixed = subsampled(attention, normed)
            values = after_attention(x, linear(mixed, attention.proj), block.norm2, block.mlp)
            found.append(qkv | values)
            x = values["block"]
            if number == 0:
                x = x + convolve(positions.proj[0], x)
    return found


def subsampled(attention: nn.Module, normed: Tensor) -> tuple[Values, Tensor]:
    query, coarse = linear(normed, attention.q), normed
    if attention.sr is not None:
        coarse = layer_norm(convolve(attention.sr, normed), attention.norm)
    key, value = linear(coarse, attention.kv).chunk(2, -1)
    tokens = (tensor.flatten(1, 2) for tensor in (query, key, value))
    mixed = attend(*tokens, bias=torch.zeros(attention.num_heads, 1, 1)).unflatten(1, normed.shape[1:3])
    return {"query": query, "key": key, "value": value}, mixed
