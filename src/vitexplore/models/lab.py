"""The lab's architectures, built from timm's and open_clip's own classes.

Importing this module registers ``lab_vit``, its smaller and larger kin, and ``lab_cnn`` with timm, so that they are
created by name like any other model; the lab's CLIP is open_clip's ``CLIP`` with ``lab_vit`` as its image tower.
"""

from math import sqrt
from typing import Any

import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from timm.layers import build_sincos2d_pos_embed
from timm.models import build_model_with_cfg, register_model
from timm.models.resnet import BasicBlock, ResNet
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from vitexplore.data.captions import vocabulary
from vitexplore.data.scenes import SIZE
from vitexplore.data.shapes import CLASSES

MEAN = STD = (0.5, 0.5, 0.5)
SIZES = ("lab_vit_d4", "lab_vit_d12", "lab_vit_w32", "lab_vit_w128")  # of lab_vit; d: depth, w: width
EMBEDDING = 64  # width of CLIP's joint space
CONTEXT = 24  # tokens of a caption, start and end included
CLIPS = ("lab_clip", "lab_clip_shuffled")  # one architecture; the other was trained on other images' captions


def config(first_conv: str, classifier: str) -> dict[str, Any]:
    return {
        "num_classes": len(CLASSES),
        "input_size": (3, SIZE, SIZE),
        "mean": MEAN,
        "std": STD,
        "interpolation": "bilinear",
        "crop_pct": 1.0,
        "first_conv": first_conv,
        "classifier": classifier,
    }


def _vit(name: str, depth: int, width: int, given: dict[str, Any]) -> VisionTransformer:
    """A ViT of 16 channels a head, with patches of 8 pixels and a CLS token."""
    shape = {"img_size": SIZE, "patch_size": 8, "embed_dim": width, "depth": depth, "num_heads": width // 16}
    options = {"num_classes": len(CLASSES), **given}
    options["pretrained_cfg"] = options.get("pretrained_cfg") or config("patch_embed.proj", "head")
    model = build_model_with_cfg(VisionTransformer, name, False, **shape, **options)
    init_vit(model)
    return model


@register_model
def lab_vit(pretrained: bool = False, **kwargs: Any) -> VisionTransformer:
    """ViT of 0.42 M weights: 8 blocks, 64 channels."""
    return _vit("lab_vit", 8, 64, kwargs)


@register_model
def lab_vit_d4(pretrained: bool = False, **kwargs: Any) -> VisionTransformer:
    """lab_vit with 4 blocks."""
    return _vit("lab_vit_d4", 4, 64, kwargs)


@register_model
def lab_vit_d12(pretrained: bool = False, **kwargs: Any) -> VisionTransformer:
    """lab_vit with 12 blocks."""
    return _vit("lab_vit_d12", 12, 64, kwargs)


@register_model
def lab_vit_w32(pretrained: bool = False, **kwargs: Any) -> VisionTransformer:
    """lab_vit with 32 channels."""
    return _vit("lab_vit_w32", 8, 32, kwargs)


@register_model
def lab_vit_w128(pretrained: bool = False, **kwargs: Any) -> VisionTransformer:
    """lab_vit with 128 channels."""
    return _vit("lab_vit_w128", 8, 128, kwargs)


@register_model
def lab_cnn(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """ResNet of 0.7 M weights: 8 basic blocks on grids of 16, 8, 4 and 2."""
    defaults = config("conv1", "fc")
    options = {"num_classes": len(CLASSES), **kwargs}
    options["pretrained_cfg"] = options.get("pretrained_cfg") or defaults
    shape = {"block": BasicBlock, "layers": (2, 2, 2, 2), "channels": (24, 48, 80, 112)}
    return build_model_with_cfg(ResNet, "lab_cnn", False, **shape, **options)


@torch.no_grad()
def init_blocks(model: nn.Module, depth: int) -> None:
    """Draw weights at 1/sqrt(fan in), residual branches' last layers smaller by sqrt(2 * depth). With timm's
    truncated normal of 0.02 a model this narrow stays at chance."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            scale = 1 / sqrt(module.weight[0].numel())
            if name.endswith(("attn.proj", "factoratt_crpe.proj", "mlp.fc2")):
                scale /= sqrt(2 * depth)
            module.weight.normal_(std=scale)
            if module.bias is not None:
                module.bias.zero_()


@torch.no_grad()
def init_vit(model: VisionTransformer) -> None:
    """``init_blocks``, and fixed 2-D sine-cosine positions of amplitude 0.7 to start from."""
    init_blocks(model, len(model.blocks))
    positions = build_sincos2d_pos_embed(model.patch_embed.grid_size, dim=model.embed_dim)
    model.pos_embed.zero_()
    model.pos_embed[:, model.num_prefix_tokens :] = 0.7 * positions
    model.cls_token.normal_(std=0.5)


def lab_clip() -> CLIP:
    """open_clip's CLIP: image tower ``lab_vit``, text tower of 3 layers on the lab's vocabulary."""
    vision = CLIPVisionCfg(
        timm_model_name="lab_vit", timm_model_pretrained=False, timm_pool="token", timm_proj="linear", image_size=SIZE
    )
    text = CLIPTextCfg(context_length=CONTEXT, vocab_size=len(Tokenizer().words) + 3, width=64, heads=4, layers=3)
    model = CLIP(embed_dim=EMBEDDING, vision_cfg=vision, text_cfg=text)
    init_vit(model.visual.trunk)
    return model


class Tokenizer:
    """Words to numbers: 0 pads, 1 starts, the largest number ends (open_clip reads the caption's
    embedding at the largest number)."""

    def __init__(self) -> None:
        self.words = {word: number for number, word in enumerate(vocabulary(), start=2)}
        self.end = len(self.words) + 2

    def __call__(self, captions: list[str]) -> Tensor:
        """int64 [captions, CONTEXT]. Raises KeyError for a word outside the lab's vocabulary."""
        tokens = torch.zeros(len(captions), CONTEXT, dtype=torch.int64)
        for row, caption in enumerate(captions):
            numbers = [1, *(self.words[word] for word in caption.split()), self.end]
            tokens[row, : len(numbers)] = torch.tensor(numbers)
        return tokens
