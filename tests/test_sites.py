"""One contract over models and sites: what is read is what the architecture computes there."""

from functools import cache

import pytest
import reference_families
import reference_vit as reference
import torch
from built import (
    CNN_SITES,
    CNNS,
    LAST,
    PREFIX,
    VIT_SITES,
    built,
    close,
    some_images,
    tiny,
)
from timm.models import MlpMixer, SwinTransformerV2, VisionTransformer
from torch import Tensor, nn

from vitexplore.errors import InputError
from vitexplore.models.heads import Head
from vitexplore.models.registry import Model, load
from vitexplore.models.sites import (
    TRANSFORMER_SITES,
    Activations,
    Site,
    blocks_of,
    channels,
    read,
    read_many,
    sites,
)
from vitexplore.models.spec import ModelSpec
from vitexplore.models.surgery import OpenViT


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


@cache
@torch.no_grad()
def slow_family(name: str) -> list[dict[str, Tensor]]:
    return reference_families.slow(built(name).trunk, some_images(built(name)))


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


@pytest.mark.parametrize(("name", "kind", "block"), VIT_SITES)
def test_a_transformers_site_is_what_the_architecture_computes_there(name, kind, block):
    model = built(name)
    wanted = slow_vit(name)[block][kind][:, PREFIX[name] :]
    with torch.no_grad():
        found = read(model, Site(kind, block), some_images(model))
    close(found.bpc, wanted)
    assert found.grid[0] * found.grid[1] == found.bpc.shape[1]


def same(found: Activations, wanted_bhwc: Tensor) -> None:
    assert found.grid == wanted_bhwc.shape[1:3]
    close(found.bpc, wanted_bhwc.flatten(1, 2))


@pytest.mark.parametrize("kind", TRANSFORMER_SITES)
@pytest.mark.parametrize("name", LAST)
def test_a_familys_site_is_what_the_architecture_computes_there_in_every_block(name, kind):
    model = built(name)
    wanted = slow_family(name)
    with torch.no_grad():
        found = read_many(model, [Site(kind, block) for block in range(LAST[name] + 1)], some_images(model))
    assert len(found) == len(wanted)
    for block, values in enumerate(wanted):
        same(found[Site(kind, block)], values[kind])


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("deit", (0, 1, 2)),
        ("pit", (0, 2, 3)),
        ("coat", (0, 7, 8, 9)),
        ("swin", (1, 3, 4)),
        ("svt", (1, 3)),
        ("pcpvt", (1, 3)),
        ("lab_deit", range(8)),
        ("lab_coat", (1, 3, 5, 7)),
        ("lab_convit", range(8)),
        ("lab_pit", (1, 5, 7)),
        ("lab_swin", (1, 5, 7)),
        ("lab_twins", (1, 5, 7)),
    ],
)
def test_the_stream_after_a_stage_is_timms_own_intermediate(name, ends):
    model = built(name)
    with torch.no_grad():
        found = read_many(model, [Site("block", block) for block in ends], some_images(model))
        wanted = model.trunk.forward_intermediates(some_images(model), indices=len(ends), intermediates_only=True)
    for block, maps in zip(ends, wanted, strict=True):
        same(found[Site("block", block)], maps.permute(0, 2, 3, 1))


@pytest.mark.parametrize("kind", ["ffn", "query", "key", "value", "block"])
@pytest.mark.parametrize("name", ["timm", "open_clip", *LAST])
def test_another_patch_moves_the_position_that_shows_it(name, kind):
    """In block 0, at the top right corner, so that rows cannot pass for columns."""
    model = built(name)
    images = some_images(model)[:1]
    with torch.no_grad():
        before = read(model, Site(kind, 0), images)
        rows, columns = before.grid
        changed = images.clone()
        height, width = images.shape[2] // rows, images.shape[3] // columns
        changed[:, :, :height, -width:] = 3 * torch.randn(1, 3, height, width, generator=torch.manual_seed(1))
        change = (read(model, Site(kind, 0), changed).bpc - before.bpc).norm(dim=2)[0]
    assert change.argmax() == columns - 1


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        ("svt", {"img_size": 64}, (40, 56)),
        ("pcpvt", {"img_size": 64}, (40, 56)),
        ("swin", {"img_size": 64, "dynamic_img_size": True}, (40, 56)),
    ],
)
def test_a_grid_follows_the_image_where_a_model_takes_any_size(name, options, size):
    model = tiny(name, **options)
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        wanted = reference_families.slow(model.trunk, images)
        found = read_many(model, [Site(kind, n) for n in range(len(wanted)) for kind in TRANSFORMER_SITES], images)
    for site, values in found.items():
        same(values, wanted[site.block][site.kind])


def test_a_vits_grid_follows_the_image_too():
    module = VisionTransformer(img_size=64, patch_size=8, embed_dim=24, depth=1, num_heads=3, dynamic_img_size=True)
    model = Model(ModelSpec("dynamic", "timm", "dynamic", "vit", "random"), module.eval(), "")
    found = read(model, Site("ffn", 0), torch.zeros(1, 3, 24, 40))
    assert (found.grid, found.bpc.shape[1]) == ((3, 5), 15)


@pytest.mark.parametrize(("block", "calls"), [(4, 1), (5, 2), (6, 3), (9, 3)])
def test_coats_scales_share_a_feed_forward_that_runs_no_further_than_the_scale_asked_for(block, calls):
    model, ran = built("coat"), []
    shared = blocks_of(model.trunk)[block].mlp2
    hook = shared.register_forward_pre_hook(lambda *_: ran.append(block))
    try:
        with torch.no_grad():
            read(model, Site("ffn", block), some_images(model))
    finally:
        hook.remove()
    assert len(ran) == calls


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


@pytest.mark.parametrize(("name", "kind", "block"), CNN_SITES)
def test_the_gradient_of_one_image_is_that_in_a_batch(name, kind, block):
    model = built(name)
    images = some_images(model).requires_grad_()
    alone, in_batch = (
        torch.autograd.grad(read(model, Site(kind, block), batch).bpc[0, :, 0].mean(), images)[0][0]
        for batch in (images[:1], images)
    )
    assert in_batch.abs().max() > 0
    torch.testing.assert_close(alone, in_batch, rtol=1e-3, atol=1e-3 * float(in_batch.abs().max()))


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
        ("lab_deit", 8, {"ffn": 256, "key": 64}),
        ("lab_coat", 16, {"ffn": 128, "value": 32, "block": 32}),
        ("lab_pit", 15, {"ffn": 128, "query": 32}),
        ("lab_swin", 16, {"ffn": 128, "key": 32, "attention_out": 32}),
        ("lab_twins", 16, {"ffn": 128, "key": 32}),
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
    for name, last in LAST.items():
        assert sites(built(name)) == dict.fromkeys(TRANSFORMER_SITES, last + 1)


def test_all_families_are_transformers_and_only_plain_vits_are_cut_open():
    assert not any(built(name).is_vit for name in CNNS)
    for name in LAST:
        model = built(name)
        assert model.is_vit
        reason = "from two tokens" if "deit" in name else "no class from a CLS token as a plain ViT does"
        with pytest.raises(InputError, match=f"{name} reads .*{reason}.*: token mixing does not apply to it"):
            OpenViT(model, Head(model, None))


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
    mixer = MlpMixer(img_size=32, patch_size=16, num_blocks=1, embed_dim=8)
    second = SwinTransformerV2(img_size=32, window_size=4, embed_dim=8, depths=(1,), num_heads=(1,))
    for module in (nn.Linear(2, 2), mixer, second):
        message = f"{type(module).__name__}: its blocks are not known; add it to models/families.py"
        with pytest.raises(InputError, match=message):
            blocks_of(module)


def test_torchvisions_swin_is_refused():
    """It has a sequence of features as CNNs have, whose channels lie last."""
    swin = load(ModelSpec("m", "torchvision", "swin_t.IMAGENET1K_V1", "cnn", "random"))
    with pytest.raises(InputError, match=r"^SwinTransformer: its blocks are not known"):
        sites(swin)
