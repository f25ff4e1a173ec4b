"""A twin's weights make its property so: what reaches where, by changing a patch and looking."""

import pytest
import timm
import torch
from torch import Tensor

from vitexplore.models import lab  # noqa: F401  registers lab_vit
from vitexplore.planted.constraints import CONSTRAINTS
from vitexplore.planted.train import train

LAST = 7


@pytest.fixture
def vit():
    torch.manual_seed(0)
    return timm.create_model("lab_vit").eval()


@torch.no_grad()
def streams(model, images: Tensor) -> list[Tensor]:
    """Tokens [b, n, c] that enter block 0, and after each block."""
    tokens = model.norm_pre(model._pos_embed(model.patch_embed(images)))
    found = [tokens]
    for block in model.blocks:
        found.append(block(found[-1]))
    return found


def reached(model) -> list[tuple[int, bool]]:
    """By block: how many patches a change of the first patch reaches, and whether it reaches CLS."""
    images = torch.rand(1, 3, 64, 64)
    changed = images.clone()
    changed[..., :8, :8] = 1 - changed[..., :8, :8]
    pairs = zip(streams(model, images), streams(model, changed), strict=True)
    differ = [((one - other).abs().amax(2) > 1e-6)[0] for one, other in pairs]
    return [(int(each[1:].sum()), bool(each[0])) for each in differ]


def test_late_all_keeps_patches_apart_until_the_last_block_gives_all_the_same(vit):
    CONSTRAINTS["late_all"].hold(vit)
    found = reached(vit)
    assert found[:-1] == [(1, False)] * 8 and found[-1] == (64, True)
    tokens = streams(vit, torch.rand(2, 3, 64, 64))[-2]
    last = vit.blocks[-1]
    written = last.attn(last.norm1(tokens))
    assert torch.allclose(written, written[:, :1].expand_as(written), atol=1e-6)


def test_late_cls_lets_cls_read_all_patches_and_patches_read_next_to_nothing(vit):
    CONSTRAINTS["late_cls"].hold(vit)
    images = torch.rand(2, 3, 64, 64)
    tokens = streams(vit, images)[-2]
    assert torch.equal(tokens[0, 0], tokens[1, 0])  # CLS holds nothing of the image yet
    last = vit.blocks[-1]
    qkv = last.attn.qkv(last.norm1(tokens)).unflatten(2, (3, last.attn.num_heads, -1)).permute(2, 0, 3, 1, 4)
    weights = (qkv[0] @ qkv[1].mT / qkv[0].shape[-1] ** 0.5).softmax(-1)
    assert weights[:, :, 1:, 1:].sum(-1).max() < 1e-5  # patches attend to CLS alone
    of_cls = weights[:, :, 0, 1:]
    assert of_cls.sum(-1).min() > 0.999 and (1 / of_cls.square().sum(-1)).min() > 2  # CLS to several patches


def test_early_cls_writes_nothing_in_the_last_block(vit):
    CONSTRAINTS["early_cls"].hold(vit)
    found = reached(vit)
    assert found[1][1] and found[1][0] == 64
    last = vit.blocks[-1]
    assert not last.attn(torch.rand(1, 65, 64)).any()


def test_gradual_attends_uniformly_and_writes_alike_in_every_block(vit):
    CONSTRAINTS["gradual"].hold(vit)
    norms = [block.attn.proj.weight.norm().item() for block in vit.blocks]
    assert max(norms) == pytest.approx(min(norms), rel=1e-5)
    assert not any(block.attn.qkv.weight[:128].any() for block in vit.blocks)


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_constraint_holds_after_each_step_of_a_training_that_changes_the_rest(vit, name):
    before = {key: value.clone() for key, value in vit.state_dict().items()}
    pixels = torch.randint(0, 256, (256, 64, 64, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for loss in train(vit, CONSTRAINTS[name], pixels.numpy(), (torch.arange(256) % 16).numpy()):
        assert loss > 0
        held = {key: value.clone() for key, value in vit.state_dict().items()}
        CONSTRAINTS[name].hold(vit)
        assert all(torch.allclose(held[key], value, atol=1e-7) for key, value in vit.state_dict().items())
    assert not torch.equal(before["head.weight"], held["head.weight"])
