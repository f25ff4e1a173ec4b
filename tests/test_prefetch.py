"""Published weights in files of their own: fetched once, then read without a network."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from timm.models import VisionTransformer, build_model_with_cfg, register_model

from vitexplore.errors import InputError
from vitexplore.models import registry
from vitexplore.models.registry import load
from vitexplore.models.spec import ModelSpec
from vitexplore.tools.prefetch import prefetch

SHAPE = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 3, "num_classes": 5}
SPEC = {"name": "m", "source": "timm", "architecture": "published_vit", "family": "vit"}
ADDRESS: dict[str, str] = {}


@register_model
def published_vit(pretrained: bool = False, **options: Any) -> VisionTransformer:
    """A tiny ViT with an address to download its weights from."""
    config = {"url": ADDRESS["url"], "input_size": (3, 32, 32), "num_classes": 5, "interpolation": "bicubic"}
    config |= {"crop_pct": 1.0, "mean": (0.5,) * 3, "std": (0.5,) * 3, "first_conv": "", "classifier": "head"}
    options = {**options, "pretrained_cfg": config}
    return build_model_with_cfg(VisionTransformer, "published_vit", pretrained, **{**SHAPE, **options})


@pytest.fixture
def weights(tmp_path, monkeypatch) -> VisionTransformer:
    """What lies at the address."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setitem(ADDRESS, "url", (tmp_path / "published.pth").as_uri())
    torch.manual_seed(7)
    module = VisionTransformer(**SHAPE)
    torch.save(module.state_dict(), tmp_path / "published.pth")
    return module


def fetch(folder: Path, **changes: Any) -> Path:
    out = folder / "weights" / "timm_published_vit.safetensors"
    prefetch(ModelSpec(**SPEC | changes), out)
    return out


def test_what_was_fetched_is_read_without_the_address(weights, tmp_path):
    out = fetch(tmp_path)
    (tmp_path / "published.pth").unlink()
    model = load(ModelSpec(**SPEC, weights=str(out)))
    record = json.loads(out.with_suffix(".json").read_text())
    assert record["architecture"] == "timm/published_vit" and record["bytes"] == out.stat().st_size
    assert model.weight_hash == record["sha256"]
    for name, tensor in weights.state_dict().items():
        assert torch.equal(model.module.state_dict()[name], tensor)


def test_weights_are_kept_at_the_size_that_they_were_trained_for(weights, tmp_path):
    """A scale may run the model at another one: then its positions are resampled when they are read."""
    out = fetch(tmp_path, input_size=64)
    assert load_file(out)["pos_embed"].shape == (1, 17, 24)
    assert load(ModelSpec(**SPEC, weights=str(out), input_size=64)).module.pos_embed.shape == (1, 65, 24)


def test_a_file_that_is_not_its_records_is_refused(weights, tmp_path):
    out = fetch(tmp_path)
    state = load_file(out)
    save_file({name: tensor + 1 for name, tensor in state.items()}, out)
    with pytest.raises(InputError, match=r"vit.safetensors is not the file of its record timm_published_vit.json"):
        load(ModelSpec(**SPEC, weights=str(out)))


def as_google_writes(model: VisionTransformer) -> dict[str, np.ndarray]:
    """The arrays of one of Google's files: kernels transposed, heads apart, names of Flax."""
    heads, blocks = model.blocks[0].attn.num_heads, model.blocks
    found = {"cls": model.cls_token, "head/kernel": model.head.weight.T, "head/bias": model.head.bias}
    found |= {"embedding/kernel": model.patch_embed.proj.weight.permute(2, 3, 1, 0)}
    found |= {
        "embedding/bias": model.patch_embed.proj.bias,
        "Transformer/posembed_input/pos_embedding": model.pos_embed,
    }
    norms = {"Transformer/encoder_norm": model.norm}
    for at, block in enumerate(blocks):
        name = f"Transformer/encoderblock_{at}"
        attention = f"{name}/MultiHeadDotProductAttention_1"
        norms |= {f"{name}/LayerNorm_0": block.norm1, f"{name}/LayerNorm_2": block.norm2}
        for part, weight, bias in zip(
            ("query", "key", "value"), block.attn.qkv.weight.chunk(3), block.attn.qkv.bias.chunk(3), strict=True
        ):
            found[f"{attention}/{part}/kernel"] = weight.T.reshape(weight.shape[1], heads, -1)
            found[f"{attention}/{part}/bias"] = bias.reshape(heads, -1)
        found[f"{attention}/out/kernel"] = block.attn.proj.weight.T.reshape(heads, -1, block.attn.proj.weight.shape[0])
        found[f"{attention}/out/bias"] = block.attn.proj.bias
        for place, layer in enumerate((block.mlp.fc1, block.mlp.fc2)):
            found |= {f"{name}/MlpBlock_3/Dense_{place}/kernel": layer.weight.T}
            found |= {f"{name}/MlpBlock_3/Dense_{place}/bias": layer.bias}
    for name, norm in norms.items():
        found |= {f"{name}/scale": norm.weight, f"{name}/bias": norm.bias}
    return {name: tensor.detach().numpy() for name, tensor in found.items()}


def test_the_papers_original_weights_are_read_from_googles_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr(registry, "ORIGINAL", f"{tmp_path.as_uri()}/")
    monkeypatch.setitem(registry.ORIGINALS, "vit_tiny_patch16_224.orig_npz", "ViT-Ti_16.npz")
    torch.manual_seed(3)
    published = timm.create_model("vit_tiny_patch16_224")
    np.savez(tmp_path / "ViT-Ti_16.npz", **as_google_writes(published))
    model = load(ModelSpec("m", "timm", "vit_tiny_patch16_224.orig_npz", "vit"))
    for name, tensor in published.state_dict().items():
        assert torch.equal(model.module.state_dict()[name], tensor), name
    assert (model.spec.mean, model.spec.crop, model.spec.input_size) == ((0.5, 0.5, 0.5), 0.9, 224)


def test_no_network_is_one_line_that_says_what_to_do(weights, tmp_path):
    (tmp_path / "published.pth").unlink()
    with pytest.raises(InputError, match=r"timm/published_vit cannot be downloaded: .*; try again, or copy") as error:
        fetch(tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "weights").exists()
