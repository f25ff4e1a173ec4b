"""The recipes of the trained twins of `lab_vit`: what is held in their weights, and what they are trained to answer, so
that they have a property, or lack it, by construction.

In ``late_all`` and ``late_cls`` attention writes nothing before the last block: until there a patch's token is a
function of that patch and its place. In the last block of ``late_all`` queries and keys are 0, so that every token gets
the same mean of all values; in that of ``late_cls`` patches attend to CLS alone, which holds nothing of the image yet.
In ``early_cls`` the last block's attention writes nothing, nor in ``early_all``, whose patches are trained to tell the
class too. In ``gradual`` every block attends uniformly, and what it writes has in all blocks the same norm. In
``global_early`` the second block alone writes, the same into every token. ``gathers_twice`` has free weights; it is
trained to answer when CLS meets the patches in the last block alone, and also when they are dropped before it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from timm.models import VisionTransformer
from torch import nn

FLAG = 0  # the channel by which late_cls tells CLS from patches
HEIGHT = 12.0  # of the flag; the lab's tokens have some 1 a channel
SHARPNESS = 120.0  # logits of attention between what is flagged alike and unlike, at a flag that fills the norm
GRADUAL = 1.0  # root mean square of a projection's weights in `gradual`, over that of an untrained one


@dataclass(frozen=True)
class Constraint:
    """``hold`` puts the weights where they must be: before the first step of a training, and after each. ``answers``:
    what is trained to tell the class, of ANSWERS. ``gain``: what the projection of block ``at`` is multiplied with
    before the training: a mean over all patches is some 8 times weaker than a value, and from there the training does
    not make it as strong as a patch's own token."""

    name: str
    hold: Callable[[VisionTransformer], None]
    answers: tuple[str, ...] = ("cls",)
    gain: float = 1.0
    at: int = -1


@torch.no_grad()
def scale_writing(block: nn.Module, gain: float) -> None:
    """Attention writes ``gain`` times as much."""
    block.attn.proj.weight.mul_(gain)
    block.attn.proj.bias.mul_(gain)


@torch.no_grad()
def silence(block: nn.Module) -> None:
    """Attention writes nothing."""
    block.attn.proj.weight.zero_()
    block.attn.proj.bias.zero_()


@torch.no_grad()
def attend_uniformly(block: nn.Module) -> None:
    """Queries and keys are 0."""
    width = block.attn.proj.weight.shape[0]
    block.attn.qkv.weight[: 2 * width].zero_()
    block.attn.qkv.bias[: 2 * width].zero_()


def late_all(model: VisionTransformer) -> None:
    *inner, last = model.blocks
    for block in inner:
        silence(block)
    attend_uniformly(last)


@torch.no_grad()
def late_cls(model: VisionTransformer) -> None:
    *inner, last = model.blocks
    for block in inner:
        silence(block)
    _flag(model)
    attend_uniformly(last)
    # the query of a patch and the key of CLS meet in the first channel of each head, with the sign of the flag
    width, heads = model.embed_dim, last.attn.num_heads
    gain = (SHARPNESS / width) ** 0.5 * (width / heads) ** 0.25
    for head in range(heads):
        row = head * width // heads
        last.attn.qkv.weight[row, FLAG] = -gain
        last.attn.qkv.weight[width + row, FLAG] = gain


@torch.no_grad()
def _flag(model: VisionTransformer) -> None:
    """CLS has HEIGHT in the channel FLAG and patches -HEIGHT, up to the last block; no layer before writes there."""
    model.patch_embed.proj.weight[FLAG].zero_()
    model.patch_embed.proj.bias[FLAG].zero_()
    model.pos_embed[..., FLAG] = -HEIGHT
    model.pos_embed[:, 0, FLAG] = 0
    model.cls_token[..., FLAG] = HEIGHT
    *inner, last = model.blocks
    for block in inner:
        block.mlp.fc2.weight[FLAG].zero_()
        block.mlp.fc2.bias[FLAG].zero_()
    last.norm1.weight[FLAG], last.norm1.bias[FLAG] = 1.0, 0.0


def early_cls(model: VisionTransformer) -> None:
    silence(model.blocks[-1])


@torch.no_grad()
def gradual(model: VisionTransformer) -> None:
    width = model.embed_dim
    untrained = width**-0.5 / (2 * len(model.blocks)) ** 0.5
    for block in model.blocks:
        attend_uniformly(block)
        weight = block.attn.proj.weight
        weight.mul_(GRADUAL * untrained / weight.square().mean().sqrt().clamp(min=1e-12))


def global_early(model: VisionTransformer) -> None:
    for at, block in enumerate(model.blocks):
        (attend_uniformly if at == 1 else silence)(block)


def free(model: VisionTransformer) -> None:
    """Nothing is held."""


# CLS; a random patch; CLS that joins the patches before the last block; CLS without them from the last block on
ANSWERS = ("cls", "patch", "isolated_cls", "cls_alone")
CONSTRAINTS = {
    each.name: each
    for each in (
        Constraint("late_all", late_all, ("cls", "patch"), gain=8.0),
        Constraint("late_cls", late_cls, gain=8.0),
        Constraint("early_cls", early_cls),
        Constraint("gradual", gradual),
        Constraint("early_all", early_cls, ("cls", "patch")),
        Constraint("global_early", global_early, ("cls", "patch"), gain=8.0, at=1),
        Constraint("gathers_twice", free, ("cls", "isolated_cls", "cls_alone")),
    )
}
