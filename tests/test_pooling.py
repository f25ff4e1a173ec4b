"""How attention pools, against loops over heads, queries and keys, and cases of known answer."""

from math import log

import numpy as np
import pytest
import reference_vit as reference
import torch
from test_surgery import VARIANTS, images, tiny

from vitexplore.data.loading import Loader
from vitexplore.measures.pooling import entropy, plain_mean_errors, pooling
from vitexplore.models.heads import Head
from vitexplore.models.registry import load
from vitexplore.models.spec import ModelSpec
from vitexplore.models.surgery import OpenViT


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


def close_to_the_block(vit: OpenViT, tokens: torch.Tensor, out: torch.nn.Linear) -> None:
    """What the weights make of the values is what the reference's attention puts out."""
    weights, values = vit.attention(tokens, 0)
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:3]))
    mixed = (weights @ values).transpose(1, 2).flatten(2)
    wanted = reference.run_block(vit.blocks[0], tokens)["attention_out"]
    torch.testing.assert_close(mixed @ out.weight.T + out.bias, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_a_timm_block_taken_apart_attends_as_it_does_whole(variant):
    model = tiny(**VARIANTS[variant])
    vit = OpenViT(model, Head(model, None))
    close_to_the_block(vit, vit.embed(images()), vit.blocks[0].attn.proj)


@torch.no_grad()
def test_an_open_clip_block_taken_apart_attends_as_it_does_whole():
    model = load(ModelSpec("clip", "open_clip", "ViT-S-32/openai", "clip", "random"))
    reference.stir(model.module)
    vit = OpenViT(model, Head(model, torch.randn(model.trunk.output_dim, 3)))
    close_to_the_block(vit, vit.embed(images(model.spec.input_size, 2)), vit.blocks[0].attn.out_proj)


@torch.no_grad()
def test_every_block_image_and_measure_against_one_pass_over_all_images(vit, scenes):
    """R2's total is about the mean over all images, whatever the batches."""
    found = pooling(vit, Head(vit, None), Loader(scenes, batch=4, indices=np.arange(6)))
    assert len(found) == len(vit.trunk.blocks) * 6 * 6
    table = found.set_index(["block", "measure", "image"])["value"]
    cut, block = OpenViT(vit, Head(vit, None)), 3
    pictures = torch.stack([torch.from_numpy(scenes.pixels[i]).permute(2, 0, 1) / 127.5 - 1 for i in range(6)]).float()
    weights, values = cut.attention(cut.run(cut.embed(pictures), 0, block), block)
    outputs = (weights @ values)[:, :, cut.prefix :]
    mean = outputs.mean((0, 2), keepdim=True)[0]
    for image in range(6):
        slow_total = (outputs[image] - mean).pow(2).sum().item()
        slow_residual = (outputs[image] - values[image].mean(1, keepdim=True)).pow(2).sum().item()
        assert table[block, "total_patches", image] == pytest.approx(slow_total, rel=1e-3)
        assert table[block, "residual_patches", image] == pytest.approx(slow_residual, rel=1e-3)
        nats = -(weights[image, :, 0] * weights[image, :, 0].log()).sum(-1).mean().item()
        assert table[block, "entropy_cls", image] == pytest.approx(nats / log(weights.shape[-1]), rel=1e-4)
