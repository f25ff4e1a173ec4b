"""One model of each architecture that sites are read of, small and with stirred weights."""

from functools import cache
from typing import Any

import reference_vit as reference
import torch
from timm.models import CoaT, SwinTransformer, Twins
from timm.models.deit import VisionTransformerDistilled
from timm.models.pit import PoolingVisionTransformer
from torch import Tensor, nn

from vitexplore.models.registry import Model, load
from vitexplore.models.sites import TRANSFORMER_SITES
from vitexplore.models.spec import ModelSpec
from vitexplore.models.variants import NAMES

VITS = {
    "timm": ModelSpec("timm", "timm", "vit_tiny_patch16_224", "vit", "random", input_size=64),
    "registers": ModelSpec("registers", "timm", "vit_small_patch14_reg4_dinov2", "vit", "random", input_size=42),
    "open_clip": ModelSpec("open_clip", "open_clip", "ViT-B-32/openai", "clip", "random"),
    "lab_vit": ModelSpec("lab_vit", "lab", "lab_vit", "vit", "random"),
    "lab_clip": ModelSpec("lab_clip", "lab", "lab_clip", "clip", "random"),
}
CNNS = {
    "lab_cnn": ModelSpec("lab_cnn", "lab", "lab_cnn", "cnn", "random"),
    "resnet": ModelSpec("resnet", "timm", "resnet18", "cnn", "random", input_size=64),
    "efficientnet": ModelSpec("efficientnet", "timm", "tf_efficientnet_lite0", "cnn", "random", input_size=64),
    "open_clip_rn": ModelSpec("open_clip_rn", "open_clip", "RN50/openai", "clip", "random"),
}
# What the lab's variants do not have: images that are not square, padded windows, odd sides, two prefix tokens in
# stages, parallel blocks, subsampling that leaves a remainder, stages without windows.
WIDE = {"img_size": (40, 56), "patch_size": 4}
TINY: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "deit": (
        VisionTransformerDistilled,
        {"img_size": (24, 40), "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 3},
    ),
    "pit": (
        PoolingVisionTransformer,
        {"img_size": (40, 56), "patch_size": 8, "stride": 4, "distilled": True, "mlp_ratio": 2}
        | {"base_dims": (8, 8, 8), "depth": (1, 2, 1), "heads": (1, 2, 4)},
    ),
    "coat": (
        CoaT,
        {"img_size": (64, 96), "patch_size": 4, "embed_dims": (16, 24, 24, 24), "mlp_ratios": (2, 2, 2, 2)}
        | {"serial_depths": (1, 1, 1, 1), "parallel_depth": 2},
    ),
    "swin": (SwinTransformer, WIDE | {"window_size": 4, "embed_dim": 16, "depths": (2, 2, 1), "num_heads": (2, 2, 4)}),
    "svt": (
        Twins,
        WIDE
        | {"embed_dims": (8, 16), "num_heads": (1, 2), "mlp_ratios": (2, 2), "depths": (2, 2)}
        | {"sr_ratios": (4, 2), "wss": (4, 4)},
    ),
    "pcpvt": (
        Twins,
        WIDE
        | {"embed_dims": (8, 16), "num_heads": (1, 2), "mlp_ratios": (2, 2), "depths": (2, 2), "sr_ratios": (4, 1)},
    ),
}
LAB_FAMILIES = {name: ModelSpec(name, "lab", name, "vit", "random") for name in NAMES}
LAST = {"deit": 2, "pit": 3, "coat": 9, "swin": 4, "svt": 3, "pcpvt": 3, **dict.fromkeys(NAMES, 7)}
FAMILY_SITES = [
    (name, kind, block) for name, last in LAST.items() for kind in TRANSFORMER_SITES for block in (0, last // 2, last)
]
PREFIX = {"timm": 1, "registers": 5, "open_clip": 1, "lab_vit": 1, "lab_clip": 1}
VIT_SITES = [
    (name, kind, block)
    for name in VITS
    for kind in TRANSFORMER_SITES
    for block in {"open_clip": (0,), "lab_vit": (0, 4, 7), "lab_clip": (0, 4, 7)}.get(name, (0, 6, 11))
]
CNN_SITES = [
    (name, "channel", block)
    for name, blocks in {
        "lab_cnn": (0, 4, 7),
        "resnet": (0, 4, 7),
        "efficientnet": (0, 7, 15),
        "open_clip_rn": (0,),
    }.items()
    for block in blocks
]


@cache
def built(name: str) -> Model:
    if name in TINY:
        return tiny(name)
    model = load({**VITS, **CNNS, **LAB_FAMILIES}[name])
    reference.stir(model.module)
    return model


def tiny(name: str, **options: Any) -> Model:
    kind, shape = TINY[name]
    torch.manual_seed(0)
    module = kind(**{**shape, **options}).eval().requires_grad_(False)
    for parameter in module.parameters():  # timm starts so small that a mistake might pass
        parameter += 0.2 * torch.randn(parameter.shape)
    return Model(ModelSpec(name, "timm", name, "vit", "random"), module, "")


def some_images(model: Model, seed: int = 0) -> Tensor:
    side, name = model.spec.input_size, model.spec.name
    height, width = TINY[name][1]["img_size"] if name in TINY else (side, side)
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(seed))


def close(found: Tensor, wanted: Tensor) -> None:
    assert found.shape == wanted.shape
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * max(1.0, wanted.abs().max().item()))
