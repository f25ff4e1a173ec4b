"""How attention pools, against loops over heads, queries and keys, and cases of known answer."""

from math import log

import numpy as np
import pandas as pd
import pytest
import reference_vit as reference
import torch
from open_clip.transformer import VisionTransformer as OpenClipViT
from test_surgery import SIDE, SPEC, VARIANTS, images, tiny
from torch import Tensor, nn

from vitexplore import experiment
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader
from vitexplore.data.scene_sets import scene_set
from vitexplore.measures.pooling import common_to_positions, entropy, plain_mean_errors, pooling
from vitexplore.models.registry import Model, load
from vitexplore.models.spec import ModelSpec
from vitexplore.models.surgery import OpenViT
from vitexplore.planted.constraints import attend_uniformly, silence


def test_uniform_attention_has_the_whole_entropy_and_a_single_key_none():
    uniform, single = torch.full((1, 2, 3, 8), 1 / 8), torch.zeros(1, 2, 3, 8)
    single[..., 5] = 1
    assert entropy(torch.cat([uniform, single])).tolist() == pytest.approx([1, 0])


def test_entropy_of_half_the_keys():
    half = torch.zeros(1, 1, 1, 8)
    half[..., :4] = 1 / 4
    assert entropy(half).item() == pytest.approx(log(4) / log(8))


def test_uniform_attention_is_the_plain_mean():
    values = torch.randn(2, 3, 8, 4, generator=torch.Generator().manual_seed(0))
    outputs = torch.full((2, 3, 5, 8), 1 / 8) @ values
    residual, total = plain_mean_errors(outputs, values, torch.zeros(3, 1, 4))
    assert residual.max() < 1e-10 < total.min()


def test_errors_against_loops():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 2, 3, 4, generator=generator)
    outputs, mean = torch.randn(2, 2, 5, 4, generator=generator), torch.randn(2, 1, 4, generator=generator)
    residual, total = plain_mean_errors(outputs, values, mean)
    for image in range(2):
        slow = [0.0, 0.0]
        for head in range(2):
            for query in range(5):
                for channel in range(4):
                    plain = sum(values[image, head, key, channel].item() for key in range(3)) / 3
                    slow[0] += (outputs[image, head, query, channel].item() - plain) ** 2
                    slow[1] += (outputs[image, head, query, channel] - mean[head, 0, channel]).item() ** 2
        assert [residual[image].item(), total[image].item()] == pytest.approx(slow, rel=1e-5)


def test_what_is_common_to_positions_against_loops():
    acts = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    for image, found in zip(acts.tolist(), common_to_positions(acts).tolist(), strict=True):
        slow = 0.0
        for channel in range(3):
            slow += 5 * (sum(position[channel] for position in image) / 5) ** 2
        assert found == pytest.approx(slow, rel=1e-5)


def close_to_the_block(vit: OpenViT, tokens: Tensor, out: nn.Linear, scale: Tensor | float) -> None:
    """What the weights make of the values is what the reference's attention puts out; scaled, it is written."""
    weights, values = vit.attention(tokens, 0)
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:3]))
    mixed = (weights @ values).transpose(1, 2).flatten(2)
    wanted = reference.run_block(vit.blocks[0], tokens)["attention_out"]
    torch.testing.assert_close(mixed @ out.weight.T + out.bias, wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(vit.written(tokens, 0), wanted * scale, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_a_timm_block_taken_apart_attends_as_it_does_whole(variant):
    vit = OpenViT(tiny(**VARIANTS[variant]))
    block = vit.blocks[0]
    close_to_the_block(vit, vit.embed(images()), block.attn.proj, getattr(block.ls1, "gamma", 1.0))


@torch.no_grad()
def test_an_open_clip_block_taken_apart_attends_as_it_does_whole():
    model = load(ModelSpec("clip", "open_clip", "ViT-S-32/openai", "clip", "random"))
    reference.stir(model.module)
    vit = OpenViT(model)
    close_to_the_block(vit, vit.embed(images(model.spec.input_size, 2)), vit.blocks[0].attn.out_proj, 1.0)


@torch.no_grad()
def test_an_open_clip_block_writes_what_its_layer_scale_leaves():
    trunk = OpenClipViT(SIDE, 8, width=24, layers=1, heads=3, mlp_ratio=2.0, ls_init_value=0.1).eval()
    reference.stir(trunk)
    vit = OpenViT(Model(SPEC, trunk, ""))
    close_to_the_block(vit, vit.embed(images()), vit.blocks[0].attn.out_proj, vit.blocks[0].ls_1.gamma)


def noise(count: int, side: int = 64) -> ImageSet:
    """Patches that have nothing to do with each other."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return ImageSet(pd.DataFrame({"label": np.zeros(count, dtype=int), "path": ""}), ("a",), pixels)


def of_images(table: pd.DataFrame, block: int) -> pd.DataFrame:
    """A block's measures as columns, a row for each image."""
    return table[table["block"] == block].pivot(index="image", columns="measure", values="value")


@torch.no_grad()
def test_every_block_image_and_measure_against_one_pass_over_all_images(vit, scenes):
    """Means are those over all images, whatever the batches."""
    reference.stir(vit.module)
    found = pooling(vit, Loader(scenes, batch=4, indices=np.arange(6)))
    assert len(found) == len(vit.trunk.blocks) * 10 * 6
    block = 3
    table = of_images(found, block)
    pictures = torch.stack([torch.from_numpy(scenes.pixels[i]).permute(2, 0, 1) / 127.5 - 1 for i in range(6)]).float()
    tokens = reference.embed(vit.trunk, pictures)
    for each in reference.blocks(vit.trunk)[:block]:
        tokens = reference.run_block(each, tokens)["block"]
    weights, values = OpenViT(vit).attention(tokens, block)
    outputs = (weights @ values)[:, :, 1:]
    mean = outputs.mean((0, 2), keepdim=True)[0]
    written = reference.run_block(reference.blocks(vit.trunk)[block], tokens)["attention_out"][:, 1:].double().numpy()
    stream = tokens[:, 1:].double().numpy()
    written, stream = written - written.mean(axis=0), stream - stream.mean(axis=0)
    for image in range(6):
        mine = table.loc[image]
        slow_total = (outputs[image] - mean).pow(2).sum().item()
        slow_residual = (outputs[image] - values[image].mean(1, keepdim=True)).pow(2).sum().item()
        assert mine["total_patches"] == pytest.approx(slow_total, rel=1e-3)
        assert mine["residual_patches"] == pytest.approx(slow_residual, rel=1e-3)
        nats = -(weights[image, :, 0] * weights[image, :, 0].log()).sum(-1).mean().item()
        assert mine["entropy_cls"] == pytest.approx(nats / log(weights.shape[-1]), rel=1e-4)
        assert mine["write"] == pytest.approx((written[image] ** 2).sum(), rel=1e-3)
        assert mine["write_common"] == pytest.approx(64 * (written[image].mean(axis=0) ** 2).sum(), rel=1e-3)
        assert mine["stream"] == pytest.approx((stream[image] ** 2).sum(), rel=1e-3)
        assert mine["positions"] == 64


def test_no_measure_depends_on_the_batch(shared_vit, scenes):
    wanted = pooling(shared_vit, Loader(scenes, batch=16)).set_index(["block", "measure", "image"])["value"]
    for batch in (3, 7):
        found = pooling(shared_vit, Loader(scenes, batch=batch)).set_index(["block", "measure", "image"])["value"]
        pd.testing.assert_series_equal(found.loc[wanted.index], wanted, rtol=1e-4)


# --- planted: what is common to all positions of what attention writes


def common_share(table: pd.DataFrame, block: int) -> np.ndarray:
    """Of each image, corrected for what independent positions have in common by chance."""
    mine = of_images(table, block)
    positions = mine["positions"].to_numpy()
    share = (mine["write_common"] / mine["write"]).to_numpy()
    return (share - 1 / positions) / (1 - 1 / positions)


@torch.no_grad()
def test_attention_that_weighs_all_tokens_alike_writes_the_same_everywhere(vit):
    qkv = vit.trunk.blocks[2].attn.qkv
    qkv.weight[:128] = 0  # queries and keys
    qkv.bias[:128] = 0
    table = pooling(vit, Loader(noise(12), batch=5))
    assert common_share(table, 2) == pytest.approx(1, abs=1e-5)
    assert common_share(table, 1).max() < 0.9


@torch.no_grad()
def test_attention_to_oneself_alone_writes_nothing_common(vit, monkeypatch):
    """In block 0 patches are independent of each other. Their writes have 1 / 64 in common, by chance."""
    attention = vit.trunk.blocks[0].attn
    monkeypatch.setattr(attention, "forward", lambda tokens, **_: attention.proj(attention.qkv(tokens)[..., 128:]))
    table = pooling(vit, Loader(noise(200), batch=50))
    assert abs(common_share(table, 0).mean()) < 0.003
    mine = of_images(table, 0)
    assert (mine["write_common"] / mine["write"]).mean() == pytest.approx(1 / 64, abs=0.003)


@torch.no_grad()
def test_attention_that_writes_nothing_has_no_energy(vit):
    vit.trunk.blocks[4].attn.proj.weight.zero_()
    mine = of_images(pooling(vit, Loader(noise(4))), 4)
    assert (mine["write"] == 0).all() and (mine["write_common"] == 0).all() and (mine["stream"] > 0).all()


@torch.no_grad()
def test_what_attention_writes_of_every_image_alike_is_no_write(vit):
    """A constant says nothing of the image: means over images are taken out."""
    proj = vit.trunk.blocks[4].attn.proj
    proj.weight.zero_()
    proj.bias.fill_(3.0)
    mine = of_images(pooling(vit, Loader(noise(4))), 4)
    assert mine["write"].to_numpy() == pytest.approx(0, abs=1e-9) and (mine["stream"] > 1).all()


# --- models without a classifier


def test_a_vit_without_a_classifier_is_measured():
    model = load(ModelSpec("m", "timm", "vit_small_patch14_dinov2", "vit", "random", input_size=56))
    assert model.module.num_classes == 0
    assert set(experiment("locality").measure(model, Loader(noise(4, 56)), images=4, patch=14)["block"]) == set(
        range(12)
    )
    table = experiment("pooling").measure(model, Loader(noise(4, 56)), images=4)
    assert set(table["block"]) == set(range(12))
    assert {"entropy_cls", "write_common"} <= set(table["measure"]) and "natural" not in set(table["measure"])
    assert np.isfinite(table["value"]).all()


# --- what is lost where a block may not do as it does


def answers(model: Model, shown: ImageSet) -> pd.DataFrame:
    """By block, image and measure."""
    table = experiment("pooling").measure(model, Loader(shown), images=len(shown))
    return table.pivot(index=["block", "image"], columns="measure", values="value")


def slow_answer(model: Model, images: Tensor, at: int, weights: Tensor) -> Tensor:
    """The class that a ViT of timm gives with attention ``weights`` [queries, keys] in the place of block ``at``'s."""
    module = model.module
    tokens = torch.cat([module.cls_token.expand(len(images), -1, -1), module.patch_embed(images)], dim=1)
    tokens = tokens + module.pos_embed
    for number, block in enumerate(module.blocks):
        if number != at:
            tokens = block(tokens)
            continue
        width, heads = tokens.shape[2], block.attn.num_heads
        value = block.attn.qkv(block.norm1(tokens))[..., 2 * width :]
        outputs = []
        for head in range(heads):
            mine = value[..., head * width // heads : (head + 1) * width // heads]
            outputs.append(torch.stack([weights @ each for each in mine]))
        tokens = tokens + block.attn.proj(torch.cat(outputs, dim=2))
        tokens = tokens + block.mlp(block.norm2(tokens))
    return module.head(module.norm(tokens)[:, 0]).argmax(1)


def test_answers_of_rewired_blocks_against_a_slow_vit():
    model, shown = load(ModelSpec("m", "lab", "lab_vit", "vit")), scene_set("test", 24)
    found, loader = answers(model, shown), Loader(shown)
    pictures, labels = torch.stack([loader.pictures(model.spec)(i) for i in range(24)]), torch.tensor(shown.labels)
    count = len(model.module.pos_embed[0])
    with torch.no_grad():
        whole = (model.module(pictures).argmax(1) == labels).tolist()
        assert found.loc[0, "natural"].tolist() == whole and found.loc[1:, "natural"].isna().all()
        for block in (0, 5, 7):
            for name, weights in (("uniform", torch.full((count, count), 1 / count)), ("unmixed", torch.eye(count))):
                wanted = (slow_answer(model, pictures, block, weights) == labels).tolist()
                assert found.loc[block, name].tolist() == wanted, (block, name)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_block_with_its_own_attention_is_the_block(name):
    vit = OpenViT(tiny(**VARIANTS[name]))
    with torch.no_grad():
        tokens = vit.embed(images())
        for block in range(len(vit.blocks)):
            own = vit.attend(tokens, block, vit.attention(tokens, block)[0])
            assert torch.allclose(own, vit.run(tokens, block, block + 1), atol=1e-4)
            tokens = vit.run(tokens, block, block + 1)


def test_a_block_that_pools_keeps_all_under_the_mean_and_one_that_does_not_attend_keeps_all_either_way():
    model, shown = load(ModelSpec("m", "lab", "lab_vit", "vit")), scene_set("test", 32)
    for block in model.module.blocks[:-1]:
        silence(block)
    attend_uniformly(model.module.blocks[-1])
    found = answers(model, shown)
    natural = found.loc[0, "natural"].tolist()
    for block in range(7):
        assert found.loc[block, "uniform"].tolist() == found.loc[block, "unmixed"].tolist() == natural
    assert found.loc[7, "uniform"].tolist() == natural
