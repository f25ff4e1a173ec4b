"""`assess`: the scale that it makes for a model, what it refuses, and a small run from end to end."""

import json
from pathlib import Path

import pytest
import yaml
from entries import CLAIMS
from project import ROOT

from vitexplore.claims.entry import problems
from vitexplore.errors import InputError
from vitexplore.graph import Graph
from vitexplore.models.catalogue import named
from vitexplore.scale import parse
from vitexplore.tools.assess import Asked, assess, read_by, scale_of, slug

IMAGES, BOXES = Path("my/images"), Path("my/boxes")
COMPARED = {CLAIMS[name].experiment for name in ("background", "low_pass", "depth_progression", "language_concepts")}


def made(asked: Asked):
    """The scale, as it is read, and why claims are left out."""
    text, left_out = scale_of(asked, CLAIMS, yaml.safe_load(asked.template.read_text()))
    assert set(text["claims"]) | set(left_out) == set(CLAIMS) and not set(text["claims"]) & set(left_out)
    return parse(text), left_out


def test_a_vit_of_the_lab_is_asked_everything_beside_its_twin_and_the_labs_judge():
    scale, left_out = made(Asked(named("lab/vit")))
    assert left_out == {} and scale.scale == "assess_lab_vit"
    assert scale.judges == {"lab_vit": "cnn"} and scale.taking_part("embed") == ["cnn"]
    twin = scale.models["lab_vit_random"]
    assert twin.random and twin.beside == "lab_vit" and twin.architecture == "lab_vit"
    for experiment in ("locality", "localization", "concepts"):
        assert scale.taking_part(experiment) == ["lab_vit", "lab_vit_random"]
    for experiment in ("background", "low_pass", "token_mixing", "visualize", "ablation"):
        assert scale.taking_part(experiment) == ["lab_vit"]


def test_a_cnn_is_asked_what_families_are_compared_by():
    scale, left_out = made(Asked(named("lab/cnn")))
    assert set(scale.claims) == {"depth_progression", "background", "low_pass", "language_concepts"}
    assert set(left_out.values()) == {"is about ViTs"}
    assert list(scale.models) == ["lab_cnn", "clip", "clip_s1"] and scale.judges == {}


def test_a_model_of_another_family_takes_part_in_comparisons_alone_and_judges():
    scale, left_out = made(Asked(named("lab/vit"), named("lab/cnn")))
    assert left_out == {} and scale.judges == {"lab_vit": "lab_cnn"}
    assert set(scale.models["lab_cnn"].experiments) == COMPARED
    scale, _ = made(Asked(named("lab/cnn"), named("lab/vit")))
    assert scale.taking_part("concepts") == ["lab_cnn", "lab_vit", "lab_vit_random"]
    assert scale.taking_part("locality") == []


def test_a_model_without_a_classifier_and_a_judge_is_asked_about_its_maps():
    scale, left_out = made(Asked(named("packaged/vit_s_focus"), None, IMAGES, BOXES))
    assert set(scale.claims) == {"learned_pooling"} and scale.images == "my/images" and scale.boxes == "my/boxes"
    assert scale.models["packaged_vit_s_focus_random"].input_size == 168
    assert all("fine-tuned to find salient objects" in left_out[name] for name in ("maps_localize", "local_until_last"))
    assert left_out["isolated_cls"] == "packaged/vit_s_focus does not tell the images' classes"
    assert left_out["ffn_over_qkv"] == "needs a model that judges pictures: add --against MODEL"
    assert left_out["language_concepts"] == "concepts is not measured on photographs here"


def test_a_model_that_judges_alone_is_named_in_the_record():
    """Nothing compares these families, for the ViT tells no classes: only what the CNN makes of images is read."""
    scale, _ = made(Asked(named("packaged/vit_s_focus"), named("packaged/efficientnet_lite0"), IMAGES, BOXES))
    assert not scale.models["packaged_efficientnet_lite0"].experiments
    graph = Graph(scale)
    assert graph.table("embed", "packaged_efficientnet_lite0") in read_by(graph, CLAIMS)
    alone, _ = made(Asked(named("packaged/vit_s_focus"), None, IMAGES, BOXES))
    assert {path.parent.name for path in read_by(Graph(alone), CLAIMS)} == {"pooling"}


def test_without_boxes_claims_on_objects_are_left_out():
    scale, left_out = made(Asked(named("vit_tiny_patch16_224"), None, IMAGES))
    assert {"isolated_cls", "head_on_patches", "low_pass"} <= set(scale.claims)
    assert left_out["background"] == left_out["maps_localize"] == "needs the objects' boxes: add --boxes DIR"


def test_a_checkpoint_is_a_model_of_its_own(tmp_path):
    model = named("vit_tiny_patch16_224", weights=str(tmp_path / "My.net.safetensors"))
    assert slug(model).startswith("timm_vit_tiny_patch16_224") and slug(model).endswith("_my_net")
    scale, _ = made(Asked(model, None, IMAGES))
    assert scale.models[slug(model)].weights == str(tmp_path / "My.net.safetensors")
    assert scale.models[f"{slug(model)}_random"].weights == "random"


PAPERS = named("timm/vit_base_patch16_384.orig_in21k_ft_in1k", weights="mine.safetensors")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Asked(named("resnet50")), "timm/resnet50.* needs photographs: add --images DIR"),
        (lambda: Asked(named("lab/vit"), None, IMAGES), "lab/vit knows the lab's scenes alone: leave --images out"),
        (lambda: Asked(named("lab/vit"), None, None, BOXES), "--boxes are those of photographs: add --images"),
        (lambda: Asked(named("lab/vit"), named("lab/swin")), "lab/swin: it is of the family vit too; name a model"),
        (lambda: Asked(named("lab/vit"), named("resnet50")), "look at different images; name two alike"),
        (lambda: Asked(PAPERS, None, IMAGES), "is the name of the paper's weights, not of your checkpoint's"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.slow
def test_an_assessment_gives_an_entry_and_goes_on_where_it_was(tmp_path, monkeypatch, capsys):
    """First of a ViT alone, then against a CNN: the ViT is not measured again, and families are compared."""
    monkeypatch.chdir(tmp_path)
    smoke = yaml.safe_load((ROOT / "workflow/scales/smoke.yaml").read_text())
    asked = {name: smoke["experiments"][name] for name in ("background", "locality", "pooling")}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(smoke | {"experiments": asked}))
    alone, measured = assessed(Asked(named("lab/vit")), tmp_path)
    assert {name for name, claim in alone.items() if claim["word"] not in (None, "not run")} == {
        "local_until_last",
        "learned_pooling",
    }
    assert alone["background"]["word"] is None and alone["background"]["statements"]["background_alone"]["value"]
    assert "background_alone" in capsys.readouterr().out
    beside, again = assessed(Asked(named("lab/vit"), named("lab/cnn")), tmp_path)
    assert again == measured and beside["learned_pooling"] == alone["learned_pooling"]
    assert beside["background"]["word"] is not None


def assessed(asked: Asked, folder: Path):
    """The claims of its entry, with which nothing is wrong, and when its own table was written."""
    assert assess(asked, "2", folder / "small.yaml") == 0
    entry = json.loads((folder / "results/assess/lab_vit/claims.json").read_text())
    entry["run"]["code"] = entry["run"]["code"].removesuffix("-dirty")  # as a checkout is while one works on it
    assert problems(entry, CLAIMS, ROOT) == []
    return entry["claims"], (folder / "results/assess_lab_vit/background/lab_vit.parquet").stat().st_mtime_ns
