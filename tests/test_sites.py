"""One contract over models and sites: what is read is what the architecture computes there."""

from functools import cache

import pytest
import reference_vit as reference
import torch
from torch import Tensor, nn

from vitexplore.errors import InputError
from vitexplore.models.registry import Model, ModelSpec, load
from vitexplore.models.sites import TRANSFORMER_SITES, Site, blocks_of, channels, read, read_many, sites

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
    model = load({**VITS, **CNNS}[name])
    reference.stir(model.module)
    return model


def some_images(model: Model, seed: int = 0) -> Tensor:
    size = model.spec.input_size
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(seed))


@cache
@torch.no_grad()
def slow_vit(name: str) -> list[dict[str, Tensor]]:
    trunk = built(name).trunk
    tokens = reference.embed(trunk, some_images(built(name)))
    activation = reference.quick_gelu if name == "open_clip" else reference.gelu
    values = []
    for block in reference.blocks(trunk)[: 1 if name == "open_clip" else None]:
        values.append(reference.run_block(block, tokens, activation))
        tokens = values[-1]["block"]
    return values


def batch_norm(x: Tensor, norm: nn.Module) -> Tensor:
    mean, variance, weight, bias = (
        t[:, None, None] for t in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return (x - mean) / (variance + norm.eps).sqrt() * weight + bias


def slow_residual(block: nn.Module, x: Tensor) -> Tensor:
    """A ResNet's basic block, timm's layout."""
    out = batch_norm(block.conv1(x), block.bn1).clamp(min=0)
    out = batch_norm(block.conv2(out), block.bn2)
    if block.downsample is not None:
        x = batch_norm(block.downsample[0](x), block.downsample[1])
    return (out + x).clamp(min=0)


@torch.no_grad()
def slow_cnn(name: str, images: Tensor) -> list[Tensor]:
    """Maps [b, c, h, w] after each block."""
    trunk, maps = built(name).trunk, []
    if name == "efficientnet":
        x = trunk.bn1(trunk.conv_stem(images))
        blocks = [block for stage in trunk.blocks for block in stage]
    elif name == "open_clip_rn":
        x = images
        for number in (1, 2, 3):
            x = batch_norm(getattr(trunk, f"conv{number}")(x), getattr(trunk, f"bn{number}")).clamp(min=0)
        x, blocks = trunk.avgpool(x), trunk.layer1[:1]
    else:
        x = trunk.maxpool(batch_norm(trunk.conv1(images), trunk.bn1).clamp(min=0))
        blocks = [*trunk.layer1, *trunk.layer2, *trunk.layer3, *trunk.layer4]
    for block in blocks:
        x = slow_residual(block, x) if name in ("lab_cnn", "resnet") else block(x)
        maps.append(x)
    return maps


def close(found: Tensor, wanted: Tensor) -> None:
    assert found.shape == wanted.shape
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * max(1.0, wanted.abs().max().item()))


@pytest.mark.parametrize(("name", "kind", "block"), VIT_SITES)
def test_a_transformers_site_is_what_the_architecture_computes_there(name, kind, block):
    model = built(name)
    wanted = slow_vit(name)[block][kind][:, PREFIX[name] :]
    with torch.no_grad():
        found = read(model, Site(kind, block), some_images(model))
    close(found.bpc, wanted)
    assert found.grid[0] * found.grid[1] == found.bpc.shape[1]


@pytest.mark.parametrize(("name", "kind", "block"), CNN_SITES)
def test_a_cnns_site_is_what_the_architecture_computes_there(name, kind, block):
    model = built(name)
    images = some_images(model)
    wanted = slow_cnn(name, images)[block]
    with torch.no_grad():
        found = read(model, Site(kind, block), images)
    assert found.grid == wanted.shape[2:]
    for row in range(found.grid[0]):
        close(found.bpc[:, row * found.grid[1]], wanted[:, :, row, 0])
    close(found.bpc[:, -1], wanted[:, :, -1, -1])
    assert found.bpc.shape == (2, found.grid[0] * found.grid[1], wanted.shape[1])


@pytest.mark.parametrize(("name", "kind", "block"), VIT_SITES + CNN_SITES)
def test_the_gradient_reaches_every_part_of_the_image(name, kind, block):
    model = built(name)
    images = some_images(model)[:1].requires_grad_()
    read(model, Site(kind, block), images).bpc.square().mean().backward()
    reached = images.grad.abs().sum(1)[0]
    half = reached.shape[0] // 2
    for quarter in (reached[:half, :half], reached[half:, :half], reached[:half, half:], reached[half:, half:]):
        assert quarter.max() > 0


@pytest.mark.parametrize(("name", "kind", "block"), VIT_SITES + CNN_SITES)
def test_no_block_after_the_site_runs_and_no_hook_is_left_behind(name, kind, block):
    model = built(name)
    blocks, ran = blocks_of(model.trunk), []
    hooks = [b.register_forward_pre_hook(lambda *_, n=n: ran.append(n)) for n, b in enumerate(blocks)]
    try:
        with torch.no_grad():
            read(model, Site(kind, block), some_images(model)[:1])
    finally:
        for hook in hooks:
            hook.remove()
    assert ran == list(range(block + 1))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.module.modules())


@pytest.mark.parametrize("name", ["timm", "registers", "lab_vit", "lab_clip"])
def test_fused_attention_reads_the_same_as_written_out_attention(name):
    model = built(name)
    last = len(model.trunk.blocks) - 1
    wanted = [Site(kind, last) for kind in TRANSFORMER_SITES]
    found = {}
    before = [block.attn.fused_attn for block in model.trunk.blocks]
    for fused in (True, False):
        for block in model.trunk.blocks:
            block.attn.fused_attn = fused
        with torch.no_grad():
            found[fused] = read_many(model, wanted, some_images(model))
    for block, fused in zip(model.trunk.blocks, before, strict=True):
        block.attn.fused_attn = fused
    for site in wanted:
        close(found[True][site].bpc, found[False][site].bpc)


@pytest.mark.parametrize("kind", TRANSFORMER_SITES)
def test_reading_with_gradients_equals_reading_without(kind):
    """torch's MultiheadAttention takes another path where nothing wants a gradient."""
    model = built("open_clip")
    images = some_images(model)[:1]
    with torch.no_grad():
        without = read(model, Site(kind, 0), images).bpc
    close(read(model, Site(kind, 0), images.requires_grad_()).bpc.detach(), without)


@pytest.mark.parametrize("name", ["timm", "lab_clip", "resnet"])
def test_many_sites_in_one_pass_equal_each_site_alone(name):
    model = built(name)
    wanted = [Site(kind, block) for kind, blocks in sites(model).items() for block in (blocks - 1, 0)]
    with torch.no_grad():
        together = read_many(model, wanted, some_images(model))
        assert set(together) == set(wanted)
        for site in wanted:
            assert torch.equal(together[site].bpc, read(model, site, some_images(model)).bpc)


def test_a_wide_image_keeps_its_grid_in_row_major_order():
    model = built("resnet")
    images = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    wanted = slow_cnn("resnet", images)[3]
    with torch.no_grad():
        found = read(model, Site("channel", 3), images)
    assert found.grid == (8, 12)
    close(found.bpc[0, 12 + 5], wanted[0, :, 1, 5])


@pytest.mark.parametrize(
    ("name", "side", "widths"),
    [
        ("timm", 4, {"ffn": 768, "query": 192, "block": 192}),
        ("registers", 3, {"ffn": 1536, "value": 384, "attention_out": 384}),
        ("open_clip", 7, {"ffn": 3072, "key": 768}),
        ("lab_clip", 8, {"ffn": 256, "key": 64}),
        ("lab_cnn", 16, {"channel": 24}),
    ],
)
def test_grids_and_widths_are_the_architectures(name, side, widths):
    model = built(name)
    for kind, width in widths.items():
        pixels = torch.zeros(1, 3, model.spec.input_size, model.spec.input_size)
        assert read(model, Site(kind, 0), pixels).grid == (side, side)
        assert channels(model, Site(kind, 0)) == width


def test_sites_lists_kinds_with_their_number_of_blocks():
    assert sites(built("lab_vit")) == dict.fromkeys(TRANSFORMER_SITES, 8)
    assert sites(built("lab_cnn")) == {"channel": 8}
    assert sites(built("efficientnet")) == {"channel": 16}


def test_a_kind_that_a_block_does_not_have_is_not_listed():
    parallel = load(ModelSpec("p", "timm", "vit_dpwee_patch16_reg1_gap_256", "vit", "random", input_size=32))
    assert sites(parallel) == {"block": 16}
    with pytest.raises(InputError, match="no site 'ffn'; it has block"):
        read(parallel, Site("ffn", 0), some_images(parallel))


@pytest.mark.parametrize(
    ("name", "site", "message"),
    [
        ("lab_vit", Site("channel", 0), "no site 'channel'; it has ffn, query"),
        ("lab_cnn", Site("ffn", 0), "no site 'ffn'; it has channel"),
        ("lab_vit", Site("ffn", 8), "blocks 0 to 7, not 8"),
        ("lab_cnn", Site("channel", -1), "blocks 0 to 7, not -1"),
    ],
)
def test_a_site_or_block_that_a_model_lacks_is_named(name, site, message):
    with pytest.raises(InputError, match=message):
        read(built(name), site, some_images(built(name)))


def test_an_architecture_with_unknown_blocks_is_refused():
    with pytest.raises(InputError, match="Linear: its blocks are not known"):
        blocks_of(nn.Linear(2, 2))
