"""Scale files: all of them are valid, and a wrong one is refused in one line that names the key."""

from pathlib import Path

import pytest
import yaml

from vitexplore.config import check_config, experiments_of, groups_of, spec_of
from vitexplore.errors import InputError
from vitexplore.models.registry import ModelSpec

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "workflow/schemas/scale.schema.yaml"
SCALES = sorted(path.stem for path in ROOT.glob("workflow/scales/*.yaml"))


def scale(name):
    config = yaml.safe_load((ROOT / f"workflow/scales/{name}.yaml").read_text())
    return config | ({"images": "somewhere"} if name == "photos" else {})


@pytest.mark.parametrize("name", SCALES)
def test_shipped_scales_are_valid(name):
    config = scale(name)
    check_config(config, SCHEMA)
    assert config["scale"] == name
    for model, entry in config["models"].items():
        assert ModelSpec(**spec_of(model, entry)).name == model


def broken(change):
    config = scale("lab")
    change(config)
    return config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(devise="cpu"), r"unknown key 'devise'; did you mean device\?"),
        (lambda c: c["models"]["vit"].update(familly="vit"), r"models\.vit: unknown key 'familly'; .* family\?"),
        (lambda c: c["models"]["vit"].update(source="hub"), r"models\.vit\.source: 'hub' is not one of"),
        (lambda c: c.pop("judges"), "'judges' is a required property"),
        (lambda c: c["judges"].update(vit="nobody"), "judges: 'nobody' is not among the models"),
        (lambda c: c["judges"].update(vit="vit"), "vit needs a judge that is another model with trained weights"),
        (lambda c: c["judges"].update(cnn="vit_random"), "cnn needs a judge that is another model"),
        (lambda c: (c.pop("device"), c.update(devise="cpu")), "unknown key 'devise'"),
        (lambda c: c["concepts"].update(judge="cnn"), "concepts.judge: 'cnn' is no CLIP among the models"),
        (lambda c: c["claims"].append("magic"), r"claims\.12: 'magic' is not one of"),
        (lambda c: c["visualize"]["recipes"][0].update(steps=0), r"visualize\.recipes\.0\.steps: 0 is less than"),
        (lambda c: c.pop("variants"), "deit takes part in variants, but there is no key 'variants'"),
        (
            lambda c: c["models"]["vit_s1"].update(beside="vti"),
            r"models\.vit_s1\.beside: 'vti' is no other .* mean vit\?",
        ),
        (lambda c: c["models"]["vit_s1"].update(beside="vit_s1"), r"beside: 'vit_s1' is no other .* mean vit\?"),
        (lambda c: c["models"]["vit_s1"].update(beside="vit_s2"), r"'vit_s2' is no other model that stands by itself"),
        (lambda c: c["data"].update(kind="photos"), "images is missing: add --config images=DIR"),
    ],
)
def test_wrong_config_is_refused_in_one_line(change, message):
    with pytest.raises(InputError, match=message) as refused:
        check_config(broken(change), SCHEMA)
    assert "\n" not in str(refused.value)


def test_cnns_take_no_part_in_token_mixing():
    assert "token_mixing" not in experiments_of({"family": "cnn"})
    assert "token_mixing" in experiments_of({"family": "clip"})
    assert experiments_of({"family": "vit", "experiments": ["collect"]}) == ("collect",)


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ("abc", {"a": ["a", "b"], "c": ["c"]}),
        ("bac", {"a": ["b", "a"], "c": ["c"]}),
        ("cdb", {"c": ["c"], "d": ["d", "b"]}),  # without a, the first of those beside it
        ("", {}),
    ],
)
def test_models_beside_another_are_of_its_group(names, groups):
    models = {"a": {}, "b": {"beside": "a"}, "c": {}, "d": {"beside": "a"}}
    assert groups_of(models, names) == groups
