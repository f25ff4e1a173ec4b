"""The names that the command line takes: each is a model with a known tag, and what the list says of it is so."""

from pathlib import Path

import open_clip
import pandas as pd
import pytest
import timm
import torchvision

from vitexplore.errors import InputError
from vitexplore.models.catalogue import catalogue, named, paper_side
from vitexplore.models.registry import load
from vitexplore.models.sites import sites
from vitexplore.models.spec import ModelSpec

ROOT = Path(__file__).parent.parent
LAB = [name for name in catalogue()["name"] if name.startswith("lab/")]


def test_names_are_unique_and_made_of_source_and_architecture():
    table = catalogue()
    assert table["name"].is_unique
    for row in table.itertuples():
        assert row.name == f"{row.source}/{row.architecture.removeprefix('lab_')}"


@pytest.mark.parametrize("row", catalogue().itertuples(), ids=lambda row: row.name)
def test_tag_is_known_to_its_library(row):
    if row.source == "timm":
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


@pytest.mark.parametrize("name", LAB)
def test_blocks_and_sites_of_the_lab_are_what_is_found(name):
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
