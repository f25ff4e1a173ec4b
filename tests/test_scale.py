"""Scale files: all of them are valid, and a wrong one is refused in one line that names the file, the key and the
mend."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from vitexplore import scale as module
from vitexplore.errors import InputError, nearest
from vitexplore.experiments.collect import DRAWN
from vitexplore.models.spec import ModelSpec
from vitexplore.scale import ScaleModel, parse, read

ROOT = Path(__file__).parent.parent
LAB = ROOT / "workflow/scales/lab.yaml"
SCALES = sorted(ROOT.glob("workflow/scales/*.yaml"))


def config_of(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", SCALES, ids=[path.stem for path in SCALES])
def test_shipped_scales_are_valid(path):
    config = config_of(path)
    scale = parse({"images": "somewhere", **config}, [path])
    assert scale.scale == path.stem
    assert list(scale.models) == list(config["models"])
    assert all(model.name == name for name, model in scale.models.items())


def test_thorough_is_the_lab_with_other_budgets():
    lab, thorough = config_of(LAB), config_of(LAB.with_stem("thorough"))
    for config in (lab, thorough):
        config.pop("scale"), config["data"].pop("count")
    budgets, thorough_budgets = lab.pop("experiments"), thorough.pop("experiments")
    assert thorough == lab and list(thorough_budgets) == list(budgets)
    for name, options in thorough_budgets.items():
        fixed = ("depths", "sites", "k", "patch", "judge", "words", "recipe")
        assert {key: options.get(key) for key in fixed} == {key: budgets[name].get(key) for key in fixed}


@pytest.mark.parametrize("path", SCALES, ids=[path.stem for path in SCALES])
def test_pictures_are_decided_by_a_recipe_that_draws(path):
    """The text's own, in steps that a processor has, leaves most features of real networks dead."""
    for name in ("visualize", "variants", "ablation"):
        if options := parse({"images": "somewhere", **config_of(path)}, [path]).options(name):
            assert options.recipes[0].name in ("fast", "released")


def test_a_ceiling_is_the_gate_of_the_claim_on_its_pictures():
    scale, found = read(LAB.with_stem("thorough")), {}
    for path in ROOT.glob("analyses/*/claim.yaml"):
        text = yaml.safe_load(path.read_text())
        if text["experiment"] in DRAWN:
            found[text["experiment"]] = {one["gate"]["margin"] for one in text["statements"] if "gate" in one}
    assert found == {name: {scale.options(name).ceiling} for name in DRAWN}


def test_a_scale_is_read_as_it_is_written():
    scale = read(LAB)
    written = config_of(LAB)
    assert scale.options("collect").images == written["experiments"]["collect"]["images"]
    assert scale.models["vit_s1"].beside == "vit"
    assert scale.models["vit_s1"].spec == ModelSpec("vit_s1", "lab", "lab_vit", "vit", seed=1)
    assert isinstance(scale.models["vit"], ScaleModel)
    assert not scale.photos


def test_an_experiment_without_a_key_does_not_run_and_one_without_values_has_its_defaults():
    config = config_of(LAB)
    config["models"] = {"vit": {**config["models"]["vit"], "experiments": ["locality"]}}
    config["experiments"] = {"locality": {}}
    scale = parse(config | {"judges": {}})
    assert scale.options("low_pass") is None
    assert scale.options("locality").patch == 32


def experiments(config: dict, name: str) -> dict:
    return config["experiments"][name]


COCO = {"data": {"kind": "photos"}, "images": "val2017", "instances": "instances.json"}
PHOTOS = {"data": {"kind": "photos"}, "images": "photos"}
OTHER = {"images": "other", "experiments": ["locality"]}
WRONG = [
    (lambda c: c.update(boxs="here"), "top level: unknown key 'boxs'; did you mean boxes?"),
    (lambda c: (c.pop("claims"), c.update(claim=[])), "top level: unknown key 'claim'; did you mean claims?"),
    (lambda c: c.pop("claims"), "claims: Field required"),
    (lambda c: c["models"]["vit"].update(familly="vit"), "models.vit: unknown key 'familly'; did you mean family?"),
    (lambda c: c["models"]["vit"].update(source="hub"), "models.vit.source: Input should be 'timm', .* (not 'hub')"),
    (lambda c: c["models"].update(vit=3), "models.vit: Input should be a dictionary"),
    (lambda c: c["models"].update({"ViT-B": c["models"]["vit"]}), "models.ViT-B.*should match pattern"),
    (lambda c: c["models"]["vit"].update(depths=["lat"]), "models.vit.depths.0: Input should be 'early', .*'lat'"),
    (lambda c: c["judges"].update(vit="nobody"), "judges: 'nobody' is not among the models"),
    (lambda c: c["judges"].update(nobody="vit"), "judges: 'nobody' is not among the models"),
    (lambda c: c["judges"].update(vit="vit"), "vit needs a judge that is another model with trained weights"),
    (lambda c: c["judges"].update(cnn="vit_random"), "cnn needs a judge that is another model"),
    (
        lambda c: experiments(c, "concepts").update(judge="cnn"),
        "experiments.concepts.judge: 'cnn' is no CLIP among the models",
    ),
    (
        lambda c: experiments(c, "visualize")["recipes"][0].update(steps=0),
        "experiments.visualize.recipes.0.steps: Input should be greater than or equal to 1 (not 0)",
    ),
    (
        lambda c: experiments(c, "visualize")["recipes"][0].update(copys=1),
        "experiments.visualize.recipes.0: unknown key 'copys'; did you mean copies?",
    ),
    (
        lambda c: experiments(c, "collect").update(image=3),
        "experiments.collect: unknown key 'image'; did you mean images?",
    ),
    (
        lambda c: c["experiments"].update(localty={}),
        "experiments: unknown key 'localty'; did you mean locality?",
    ),
    (
        lambda c: c["experiments"].pop("variants"),
        "models.deit.experiments: 'variants' has no options under experiments; give it some",
    ),
    (
        lambda c: c["models"]["vit"].update(experiments=["localty"]),
        "models.vit.experiments: 'localty' has no options under experiments; did you mean locality?",
    ),
    (lambda c: c["models"]["vit_s1"].update(beside="vti"), "models.vit_s1.beside: 'vti' is no other .* mean vit?"),
    (lambda c: c["models"]["vit_s1"].update(beside="vit_s1"), "beside: 'vit_s1' is no other .* mean vit?"),
    (lambda c: c["models"]["vit_s1"].update(beside="vit_s2"), "'vit_s2' is no other model that stands by itself"),
    (lambda c: c.update(data={"kind": "photos"}), "images is missing: add --config images=DIR"),
    (
        lambda c: c.update(data={"kind": "photos"}, images="val2017", captions="captions.json"),
        "captions: COCO's captions go with its instances; add instances=FILE",
    ),
    (lambda c: c.update(instances="instances.json"), "instances: COCO's pictures are photographs; give data the kind"),
    (
        lambda c: c.update(COCO, boxes="boxes"),
        "boxes: COCO's instances have boxes of their own; take the key away",
    ),
    (lambda c: c.update(COCO, labels="labels.txt"), "labels: COCO's pictures have no classes; take the key away"),
    (lambda c: c["data"].update(kind="photos"), "data.splits: photographs have no splits; take the key away"),
    (
        lambda c: c["data"]["splits"].update(localty="test"),
        "data.splits: no experiment 'localty'; did you mean locality?",
    ),
    (lambda c: c["data"]["splits"].update(locality="tset"), "data.splits.locality: Input should be 'train', .*'tset'"),
    (
        lambda c: c["data"]["splits"].update(collect="easy"),
        "data.splits: collect, embed, .* share their images; give them",
    ),
    (lambda c: c["preprocessing"].update(backgroud="own"), "preprocessing: no experiment 'backgroud'; .* background?"),
    (lambda c: c["preprocessing"].update(locality="papre"), "preprocessing.locality: Input should be 'own' or 'paper'"),
    (lambda c: c["data"].update(count="many"), "data.count: Input should be a valid integer"),
    (
        lambda c: experiments(c, "visualize").update(recipes=[{"name": "fast"}, {"name": "fast", "steps": 3}]),
        "experiments.visualize.recipes: fast stands there twice; keep one of them",
    ),
    (
        lambda c: experiments(c, "embed").update(images=999),
        "experiments.embed.images: 999 are fewer than the 1000 that judges are asked about",
    ),
    (lambda c: c["experiments"].pop("embed"), "experiments.embed is missing: judges look at images"),
    (
        lambda c: c.update(rehearsal=True),
        "scale: a rehearsal's results lie apart; let the name start with 'rehearsal'",
    ),
    (lambda c: c.update(sets={"own": OTHER}), "sets: they are of photographs; give data the kind photos"),
    (
        lambda c: c.update(PHOTOS, sets={"data": OTHER}),
        "sets.data: data is what the scale's own photographs are called",
    ),
    (
        lambda c: c.update(PHOTOS, sets={"own": OTHER | {"experiments": ["localty"]}}),
        "sets.own.experiments: no experiment 'localty'; did you mean locality?",
    ),
    (
        lambda c: c.update(PHOTOS, sets={"own": OTHER, "more": OTHER}),
        "sets.more.experiments: locality looks at own already; name it once",
    ),
    (
        lambda c: c.update(PHOTOS, sets={"own": OTHER | {"kind": "imagenet9"}}),
        "sets.own.experiments: the backgrounds challenge is for background alone; name nothing else",
    ),
    (
        lambda c: c.update(PHOTOS, sets={"own": OTHER | {"experiments": ["collect"]}}),
        "sets: collect, embed, .* share their images; let one set have them all, or none",
    ),
    (
        lambda c: c.update(PHOTOS, sets={"own": OTHER | {"captions": "captions.json"}}),
        "sets.own.captions: COCO's captions go with its instances; add instances=FILE",
    ),
    (lambda c: c.update(PHOTOS, images_per_class=0), "images_per_class: Input should be greater .*0"),
    (lambda c: c.update(modules="mine.py"), "modules: 'mine.py' is no list of Python files"),
    (lambda c: c.update(modules=["mine.py"]), "modules: no file mine.py"),
    (lambda c: c.update(experiments=3), "experiments: Input should be a valid dictionary"),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_a_wrong_scale_is_refused_in_one_line(change, message):
    config = deepcopy(config_of(LAB))
    change(config)
    pattern = message.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")
    with pytest.raises(InputError, match=pattern) as refused:
        parse(config, [LAB])
    assert "\n" not in str(refused.value)


def test_the_file_that_says_it_is_named(tmp_path):
    files = [tmp_path / "base.yaml", tmp_path / "more.yaml"]
    files[0].write_text("data: {kind: scenes, count: 4}\nscale: both\n")
    files[1].write_text("scale: UP\n")
    assert module._file_of(("data", "count"), files) == str(files[0])
    assert module._file_of(("scale",), files) == str(files[1])
    assert module._file_of(("nowhere",), files) == ", ".join(map(str, files))
    assert module._file_of(("nowhere",), []) == "config"


@pytest.mark.parametrize(
    ("text", "message"), [(None, "No such file"), ("a: [", "while parsing"), ("- 1\n", "no scale; see workflow/scales")]
)
def test_a_file_that_is_no_scale_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "wrong.yaml"
    if text:
        path.write_text(text)
    with pytest.raises(InputError, match=message) as refused:
        read(path)
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)


def test_the_nearest_is_the_one_that_is_most_alike_or_all():
    assert nearest("localty", ["collect", "locality"]) == "locality"
    assert nearest("xyz", ["collect", "locality"]) == "collect or locality"
