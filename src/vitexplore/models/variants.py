"""The appendix's other transformer families at the lab's size: DeiT, CoaT, ConViT, PiT, Swin, Twins.

Importing this module registers ``lab_deit`` ... ``lab_twins`` with timm. Each keeps what makes its family: two
prefix tokens (DeiT), convolutional attention on four scales (CoaT), gated positional attention (ConViT), pooling
between stages (PiT), shifted windows (Swin), windows and subsampled global attention in turn (Twins).
"""

from typing import Any

import torch
from timm.layers import build_sincos2d_pos_embed
from timm.models import build_model_with_cfg, register_model
from timm.models.coat import CoaT
from timm.models.convit import GPSA, ConVit
from timm.models.deit import VisionTransformerDistilled
from timm.models.pit import PoolingVisionTransformer
from timm.models.swin_transformer import SwinTransformer
from timm.models.twins import Twins
from torch import nn

from vitexplore.data.scenes import SIZE
from vitexplore.data.shapes import CLASSES
from vitexplore.models.lab import config, init_blocks, init_vit

NAMES = ("lab_deit", "lab_coat", "lab_convit", "lab_pit", "lab_swin", "lab_twins")


def _build(kind: type[nn.Module], name: str, shape: dict[str, Any], given: dict[str, Any]) -> Any:
    options = {"num_classes": len(CLASSES), **given}
    options["pretrained_cfg"] = options.get("pretrained_cfg") or config("", "head")
    return build_model_with_cfg(kind, name, False, img_size=SIZE, **shape, **options)


@register_model
def lab_deit(pretrained: bool = False, **kwargs: Any) -> VisionTransformerDistilled:
    """lab_vit with DeiT's distillation token and its second head. No teacher: the mean of both heads learns labels."""
    shape = {"patch_size": 8, "embed_dim": 64, "depth": 8, "num_heads": 4}
    model = _build(VisionTransformerDistilled, "lab_deit", shape, kwargs)
    init_vit(model)
    nn.init.normal_(model.dist_token, std=0.5)
    return model


@register_model
def lab_coat(pretrained: bool = False, **kwargs: Any) -> CoaT:
    """CoaT-Lite's serial blocks, two on each of the grids of 16, 8, 4 and 2."""
    shape = {"patch_size": 4, "embed_dims": (32, 48, 64, 96), "serial_depths": (2, 2, 2, 2), "num_heads": 8}
    model = _build(CoaT, "lab_coat", {**shape, "mlp_ratios": (4, 4, 4, 4)}, kwargs)
    init_blocks(model, depth=8)
    for stage in range(1, 5):
        nn.init.normal_(getattr(model, f"cls_token{stage}"), std=0.5)
    return model


@register_model
@torch.no_grad()
def lab_convit(pretrained: bool = False, **kwargs: Any) -> ConVit:
    """Six blocks of gated positional attention, then two of plain attention with the CLS token."""
    shape = {"patch_size": 8, "embed_dim": 16, "depth": 8, "num_heads": 4, "local_up_to_layer": 6}
    model = _build(ConVit, "lab_convit", shape, kwargs)
    init_blocks(model, depth=8)
    for module in model.modules():
        if isinstance(module, GPSA):
            module.local_init()
    model.pos_embed.copy_(0.7 * build_sincos2d_pos_embed(model.patch_embed.grid_size, dim=model.embed_dim))
    model.cls_token.normal_(std=0.5)
    return model


@register_model
@torch.no_grad()
def lab_pit(pretrained: bool = False, **kwargs: Any) -> PoolingVisionTransformer:
    """Overlapping patches of 8 at stride 4: grids of 15, 8 and 4, wider as they shrink."""
    shape = {"patch_size": 8, "stride": 4, "base_dims": (16, 16, 16), "depth": (2, 4, 2), "heads": (2, 4, 8)}
    model = _build(PoolingVisionTransformer, "lab_pit", {**shape, "mlp_ratio": 4}, kwargs)
    init_blocks(model, depth=8)
    grid = model.patch_embed.grid_size
    positions = build_sincos2d_pos_embed(grid, dim=model.pos_embed.shape[1])
    model.pos_embed.copy_(0.7 * positions.T.unflatten(1, grid))
    model.cls_token.normal_(std=0.5)
    return model


@register_model
def lab_swin(pretrained: bool = False, **kwargs: Any) -> SwinTransformer:
    """Windows of 4 on grids of 16, 8 and 4; every second block is shifted where the grid is wider than a window."""
    shape = {"patch_size": 4, "embed_dim": 32, "depths": (2, 4, 2), "num_heads": (2, 4, 8), "window_size": 4}
    model = _build(SwinTransformer, "lab_swin", {**shape, "drop_path_rate": 0.0}, kwargs)
    init_blocks(model, depth=8)
    return model


@register_model
def lab_twins(pretrained: bool = False, **kwargs: Any) -> Twins:
    """Twins-SVT: windows of 4 and global attention to subsampled keys in turn, on grids of 16, 8 and 4."""
    shape = {"patch_size": 4, "embed_dims": (32, 64, 128), "num_heads": (2, 4, 8), "depths": (2, 4, 2)}
    shape |= {"mlp_ratios": (4, 4, 4), "sr_ratios": (4, 2, 1), "wss": (4, 4, 4)}
    model = _build(Twins, "lab_twins", shape, kwargs)
    init_blocks(model, depth=8)
    return model
