"""A vision transformer's forward pass written out slowly, from the weights of a timm or open_clip one."""

from collections.abc import Callable
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn


def layer_norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.erf(x / sqrt(2)))


def quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def is_timm(trunk: nn.Module) -> bool:
    return hasattr(trunk, "patch_embed")


def embed(trunk: nn.Module, images: Tensor) -> Tensor:
    """Prefix and patch tokens that enter block 0 [b, n, c]; one dot product a patch, in row-major order."""
    conv = trunk.patch_embed.proj if is_timm(trunk) else trunk.conv1
    side = conv.weight.shape[-1]
    patches = []
    for top in range(0, images.shape[2], side):
        for left in range(0, images.shape[3], side):
            square = images[:, :, top : top + side, left : left + side].flatten(1)
            patches.append(square @ conv.weight.flatten(1).T + (0 if conv.bias is None else conv.bias))
    tokens = torch.stack(patches, dim=1)
    if not is_timm(trunk):
        tokens = torch.cat([trunk.class_embedding.expand(len(images), 1, -1), tokens], dim=1)
        tokens = tokens + trunk.positional_embedding
        return layer_norm(tokens, trunk.ln_pre)
    prefix = [token.expand(len(images), -1, -1) for token in (trunk.cls_token, trunk.reg_token) if token is not None]
    if trunk.no_embed_class:
        return torch.cat([*prefix, tokens + trunk.pos_embed], dim=1)
    return torch.cat([*prefix, tokens], dim=1) + trunk.pos_embed


def blocks(trunk: nn.Module) -> list[nn.Module]:
    return list(trunk.blocks if is_timm(trunk) else trunk.transformer.resblocks)


def run_block(
    block: nn.Module, tokens: Tensor, activation: Callable[[Tensor], Tensor] = gelu, allowed: Tensor | None = None
) -> dict[str, Tensor]:
    """Every site's value on all tokens. ``allowed`` bool [n, n]: whether a row's token may attend to a
    column's; all may where it is not given."""
    part = _timm_parts(block) if hasattr(block, "norm1") else _open_clip_parts(block)
    normed = layer_norm(tokens, part["norm1"])
    qkv = (
        normed @ weight.T + bias for weight, bias in zip(part["weight"].chunk(3), part["bias"].chunk(3), strict=True)
    )
    query, key, value = qkv
    heads = part["heads"]
    mixed = []
    for q, k, v in zip(query.chunk(heads, -1), key.chunk(heads, -1), value.chunk(heads, -1), strict=True):
        scores = q @ k.transpose(1, 2) / sqrt(q.shape[-1])
        if allowed is not None:
            scores = scores.masked_fill(~allowed, -torch.inf)
        weights = (scores - scores.amax(-1, keepdim=True)).exp()
        mixed.append(weights / weights.sum(-1, keepdim=True) @ v)
    attention_out = torch.cat(mixed, dim=-1) @ part["out"].weight.T + part["out"].bias
    middle = tokens + part["scale1"] * attention_out
    ffn = activation(layer_norm(middle, part["norm2"]) @ part["fc1"].weight.T + part["fc1"].bias)
    return {
        "query": query,
        "key": key,
        "value": value,
        "attention_out": attention_out,
        "ffn": ffn,
        "block": middle + part["scale2"] * (ffn @ part["fc2"].weight.T + part["fc2"].bias),
    }


def _timm_parts(block: nn.Module) -> dict[str, Any]:
    return {
        "norm1": block.norm1,
        "norm2": block.norm2,
        "weight": block.attn.qkv.weight,
        "bias": block.attn.qkv.bias,
        "heads": block.attn.num_heads,
        "out": block.attn.proj,
        "fc1": block.mlp.fc1,
        "fc2": block.mlp.fc2,
        "scale1": getattr(block.ls1, "gamma", 1.0),
        "scale2": getattr(block.ls2, "gamma", 1.0),
    }


def _open_clip_parts(block: nn.Module) -> dict[str, Any]:
    return {
        "norm1": block.ln_1,
        "norm2": block.ln_2,
        "weight": block.attn.in_proj_weight,
        "bias": block.attn.in_proj_bias,
        "heads": block.attn.num_heads,
        "out": block.attn.out_proj,
        "fc1": block.mlp.c_fc,
        "fc2": block.mlp.c_proj,
        "scale1": 1.0,
        "scale2": 1.0,
    }


@torch.no_grad()
def stir(module: nn.Module) -> None:
    """Move biases, norms and layer scales off the zeros and ones that they start from, where a mistake
    about them would not show."""
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        if parameter.ndim == 1:
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
