"""Reading sites: gradients pass, nothing runs after what is asked for, and one pass reads many."""

import pytest
import torch
from built import CNN_SITES, FAMILY_SITES, VIT_SITES, built, close, some_images

from vitexplore.models.sites import (
    TRANSFORMER_SITES,
    Site,
    blocks_of,
    read,
    read_many,
    shapes,
    sites,
)


@pytest.mark.parametrize(("name", "kind", "block"), VIT_SITES + FAMILY_SITES + CNN_SITES)
def test_the_gradient_reaches_every_part_of_the_image(name, kind, block):
    model = built(name)
    images = some_images(model)[:1].requires_grad_()
    read(model, Site(kind, block), images).bpc.square().mean().backward()
    reached = images.grad.abs().sum(1)[0]
    for half in reached.chunk(2, 0):
        for quarter in half.chunk(2, 1):
            assert quarter.max() > 0


@pytest.mark.parametrize(("name", "kind", "block"), VIT_SITES + FAMILY_SITES + CNN_SITES)
def test_no_block_after_the_site_runs_and_no_hook_is_left_behind(name, kind, block):
    model = built(name)
    blocks, ran = blocks_of(model.trunk), []
    hooks = [b.register_forward_pre_hook(lambda module, _: ran.append(module)) for b in dict.fromkeys(blocks)]
    try:
        with torch.no_grad():
            read(model, Site(kind, block), some_images(model)[:1])
    finally:
        for hook in hooks:
            hook.remove()
    assert ran == list(dict.fromkeys(blocks[: block + 1]))
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


@pytest.mark.parametrize("name", ["timm", "lab_clip", "resnet", "coat", "swin", "svt", "lab_convit", "lab_pit"])
def test_many_sites_in_one_pass_equal_each_site_alone(name):
    model = built(name)
    wanted = [Site(kind, block) for kind, blocks in sites(model).items() for block in (blocks - 1, 0)]
    with torch.no_grad():
        together = read_many(model, wanted, some_images(model))
        assert set(together) == set(wanted)
        for site in wanted:
            assert torch.equal(together[site].bpc, read(model, site, some_images(model)).bpc)
        kept = read_many(model, wanted, some_images(model), lambda site, found: (site, found.grid))
    assert kept == {site: (site, found.grid) for site, found in together.items()}


@pytest.mark.parametrize("name", ["timm", "lab_clip", "resnet", "lab_pit"])
def test_shapes_are_those_of_what_is_read_in_the_order_that_is_asked_for(name):
    model = built(name)
    wanted = [Site(kind, block) for kind, blocks in sites(model).items() for block in (blocks - 1, 0)]
    with torch.no_grad():
        found = read_many(model, wanted, some_images(model))
    expected = [(site, (found[site].bpc.shape[2], found[site].grid)) for site in wanted]
    assert list(shapes(model, wanted).items()) == expected
