"""What a scale asks for: which models take part, which jobs and files that makes, where they lie."""

from pathlib import Path

import pytest

from vitexplore.errors import InputError
from vitexplore.graph import CHECKOUT, Graph
from vitexplore.scale import parse

OUT = Path("results/made")
ROOT = Path("checkout")


def lab(family: str, **more) -> dict:
    return {"source": "lab", "architecture": f"lab_{family}", "family": family, **more}


def graph_of(models: dict, experiments: dict, **more) -> Graph:
    scale = {"scale": "made", "data": {"kind": "scenes"}, "claims": []}
    return Graph(parse(scale | {"models": models, "experiments": experiments} | more), ROOT)


def photos(**more) -> dict:
    return {"data": {"kind": "photos"}, "images": "photos", **more}


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ("abc", {"a": ["a", "b"], "c": ["c"]}),
        ("bac", {"a": ["b", "a"], "c": ["c"]}),
        ("cdb", {"c": ["c"], "d": ["d", "b"]}),  # without a, the first of those beside it
        ("c", {"c": ["c"]}),
    ],
)
def test_models_beside_another_are_of_its_group(names, groups):
    in_order = [*names, *(name for name in "abcd" if name not in names)]
    models = {name: lab("vit", experiments=["locality"] if name in names else []) for name in in_order}
    for name in "bd":
        models[name]["beside"] = "a"
    graph = graph_of(models, {"locality": {}})
    assert graph.groups("locality") == groups
    assert graph.tables("locality") == [OUT / f"locality/{group}.parquet" for group in groups]
    for group, members in groups.items():
        assert graph.members("locality", group) == members
        assert {graph.table("locality", name) for name in members} == {OUT / f"locality/{group}.parquet"}


def test_a_group_that_does_not_exist_is_refused_with_those_that_do():
    graph = graph_of({"vit": lab("vit"), "cnn": lab("cnn")}, {"locality": {}})
    with pytest.raises(InputError, match="locality: no group of models 'vti'; there are vit, cnn"):
        graph.members("locality", "vti")


def test_models_take_part_where_they_suit_or_where_they_say_so():
    models = {"vit": lab("vit"), "cnn": lab("cnn"), "clip": lab("clip"), "one": lab("vit", experiments=["variants"])}
    recipes = {"features": 2, "depths": ["late"], "images": 20, "recipes": [{"name": "fast"}]}
    graph = graph_of(models, {"token_mixing": {}, "low_pass": {}, "zero_shot": {}, "variants": recipes})
    assert graph.models("token_mixing") == ["vit", "clip"]  # no CNNs
    assert graph.models("low_pass") == ["vit", "cnn", "clip"]
    assert graph.models("zero_shot") == ["clip"]
    assert graph.models("variants") == ["one"]  # only where it is named
    assert graph.models("locality") == []  # the scale gives it no options
    assert list(graph.experiments) == ["low_pass", "token_mixing", "variants", "zero_shot"]


def test_experiments_that_need_boxes_or_captions_have_no_models_without():
    models, wanted = {"vit": lab("vit"), "clip": lab("clip")}, {"localization": {}, "background": {}, "zero_shot": {}}
    assert list(graph_of(models, wanted).experiments) == ["background", "localization", "zero_shot"]
    assert list(graph_of(models, wanted, **photos()).experiments) == []
    assert list(graph_of(models, wanted, **photos(boxes="boxes")).experiments) == ["background", "localization"]


def test_localization_measures_random_weights_too_and_makes_three_tables():
    models = {"vit": lab("vit"), "random": lab("vit", weights="random", beside="vit")}
    graph = graph_of(models, {"localization": {}})
    assert graph.groups("localization") == {"vit": ["vit", "random"]}
    tables = ("localization", "localization_images", "trivial_maps")
    assert graph.outputs("localization", "vit") == [OUT / f"{table}/vit.parquet" for table in tables]


def test_the_validation_images_are_for_experiments_about_them_where_there_are_some():
    models, wanted = {"vit": lab("vit")}, {"low_pass": {}, "locality": {}}
    without = graph_of(models, wanted, **photos())
    assert {without.image_index(name) for name in wanted} == {OUT / "data/images.parquet"}
    with_some = graph_of(models, wanted, **photos(validation="val"))
    assert with_some.image_index("low_pass") == OUT / "validation/images.parquet"
    assert with_some.image_index("locality") == OUT / "data/images.parquet"


def test_what_is_listed_of_photographs():
    more = {"boxes": "boxes", "labels": "labels.csv", "expected": {"data": 9, "validation": 5, "classes": 3}}
    data = graph_of({"vit": lab("vit")}, {"low_pass": {}}, **photos(**more))
    assert data.index_arguments("data") == {
        "kind": "photos", "images_per_class": None,
        "photos": Path("photos"), "boxes": Path("boxes"), "labels": Path("labels.csv"), "expected": 9, "classes": 3,
        "instances": None, "captions": None,
    }  # fmt: skip
    assert data.indexed_paths("data") == [Path("photos"), Path("boxes"), Path("labels.csv")]
    both = graph_of({"vit": lab("vit")}, {"low_pass": {}}, **photos(validation="val", **more))
    assert both.index_arguments("validation") == {
        "kind": "photos", "images_per_class": None,
        "photos": Path("val"), "boxes": None, "labels": Path("labels.csv"), "expected": 5, "classes": 3,
        "instances": None, "captions": None,
    }  # fmt: skip
    assert both.indexed_paths("data") == [Path("photos"), Path("boxes")]  # the labels are the validation pictures'


COCO = {"instances": "instances.json", "captions": "captions.json"}


def test_coco_is_read_for_the_images_and_never_for_the_validation_photographs():
    graph = graph_of({"vit": lab("vit")}, {"localization": {}}, **photos(validation="val", **COCO))
    assert graph.indexed_paths("data") == [Path("photos"), Path("instances.json"), Path("captions.json")]
    assert graph.indexed_paths("validation") == [Path("val")]


def test_coco_has_boxes_and_no_labels():
    wanted = {name: {} for name in ("localization", "background", "low_pass", "token_mixing")}
    alone = graph_of({"vit": lab("vit")}, wanted, **photos(**COCO))
    assert list(alone.experiments) == ["localization"]
    beside = graph_of({"vit": lab("vit")}, wanted, **photos(validation="val", **COCO))
    assert list(beside.experiments) == ["localization", "low_pass", "token_mixing"]
    assert beside.image_index("low_pass") == OUT / "validation/images.parquet"
    clip = {"clip": lab("clip")}, {name: {"judge": "clip"} for name in ("features", "concepts")} | {"zero_shot": {}}
    assert list(graph_of(*clip, **photos(**COCO)).experiments) == ["concepts"]  # captions name some
    assert not graph_of(*clip, **photos(instances="instances.json")).experiments
    assert list(graph_of(*clip, **photos()).experiments) == ["concepts", "features"]  # so do labels


SETS = {
    "coco": {"experiments": ["localization", "concepts"], "images": "download:coco_val2017/val2017",
             "instances": "download:coco_annotations2017/annotations/instances_val2017.json",
             "captions": "captions.json"},
    "challenge": {"experiments": ["background"], "kind": "imagenet9", "images": "in9", "images_per_class": 5},
}  # fmt: skip


@pytest.fixture
def hub() -> Graph:
    """Photographs that are downloaded, and further sets for some experiments."""
    wanted = {name: {} for name in ("background", "localization", "low_pass", "token_mixing")}
    wanted["concepts"] = {"judge": "clip"}
    places = photos(images="download:imagenetv2/v2", images_per_class=1, sets=SETS, store="store")
    graph = graph_of({"vit": lab("vit"), "clip": lab("clip", experiments=[])}, wanted, **places)
    return Graph(graph.scale, CHECKOUT)


def test_experiments_of_a_set_look_at_it_and_the_others_at_the_scales_own_images(hub):
    places = {name: hub.image_index(name).parent for name in hub.experiments}
    own = dict.fromkeys(["low_pass", "token_mixing"], OUT / "data")
    of_sets = {"background": OUT / "challenge", "concepts": OUT / "coco", "localization": OUT / "coco"}
    assert places == own | of_sets
    assert hub.sources() == ["data", "challenge", "coco"]
    sheets = [OUT / f"figures/{name}.png" for name in ("photos", "photos_challenge", "photos_coco")]
    assert list(hub.data_figures().values()) == sheets and set(sheets) <= set(hub.results())


def test_a_set_that_nobody_looks_at_is_not_read(hub):
    models = {"vit": lab("vit"), "clip": lab("clip", experiments=[])}
    less = graph_of(models, {"localization": {}}, **photos(sets=SETS))
    assert less.sources() == ["data", "coco"]
    assert list(Graph(less.scale, CHECKOUT).downloads) == ["coco_val2017", "coco_annotations2017"]


def test_what_is_downloaded_is_an_input_of_the_index_that_reads_it(hub):
    assert list(hub.downloads) == ["imagenetv2", "coco_val2017", "coco_annotations2017"]
    assert hub.index_inputs("data") == [Path("store/imagenetv2.json")]
    assert hub.index_inputs("coco") == [Path("store/coco_val2017.json"), Path("store/coco_annotations2017.json")]
    assert hub.index_inputs("challenge") == []
    assert hub.indexed_paths("data") == [] and hub.indexed_paths("coco") == [Path("captions.json")]
    found = hub.index_arguments("coco")
    assert found["photos"] == Path("store/coco_val2017/val2017") and found["captions"] == Path("captions.json")
    assert found["instances"] == Path("store/coco_annotations2017/annotations/instances_val2017.json")
    assert hub.index_arguments("data")["images_per_class"] == 1
    challenge = hub.index_arguments("challenge")
    assert (challenge["kind"], challenge["photos"], challenge["images_per_class"]) == ("imagenet9", Path("in9"), 5)


def test_weights_may_be_a_public_file():
    vit = {"source": "timm", "architecture": "vit_base_patch16_384", "family": "vit", "experiments": ["low_pass"]}
    graph = graph_of({"vit": vit | {"weights": "download:coco_val2017"}}, {"low_pass": {}}, **photos())
    graph = Graph(graph.scale, CHECKOUT)
    assert graph.spec("vit").weights == "downloads/val2017.zip"
    assert graph.weights("vit") == [Path("downloads/coco_val2017.json")]  # which has its sum
    assert list(graph.downloads) == ["coco_val2017"]


def test_a_place_in_a_file_that_the_project_does_not_know_is_told_the_nearest():
    scale = graph_of({"vit": lab("vit")}, {"low_pass": {}}, **photos(images="download:imagenet2/x")).scale
    with pytest.raises(InputError, match=r"downloads: no public file 'imagenet2'; did you mean imagenetv2\?"):
        _ = Graph(scale, CHECKOUT).downloads


DRAWN = {"features": 2, "depths": ["late"], "images": 20, "recipes": [{"name": "fast"}]}
SHIPPED = ROOT / "src/vitexplore/models/weights"


def test_a_visualization_reads_its_model_its_judge_and_their_tables():
    models = {"vit": lab("vit", seed=1), "cnn": lab("cnn", experiments=[])}
    wanted = {"visualize": DRAWN, "collect": {}, "embed": {}}
    graph = graph_of(models, wanted, judges={"vit": "cnn"})
    read = graph.inputs("visualize", "vit")
    weights = [SHIPPED / f"{name}{end}" for name in ("lab_vit_s1", "lab_cnn_s0") for end in (".safetensors", ".json")]
    assert sorted(read) == sorted([*weights, OUT / "top/vit.parquet", OUT / "embed/cnn.parquet"])
    unjudged = graph_of(models, {"visualize": DRAWN})
    assert sorted(unjudged.inputs("visualize", "vit")) == sorted(weights[:2])


def test_weights_are_files_unless_they_are_random_or_inside_a_package():
    timm = {"source": "timm", "architecture": "vit_tiny_patch16_224.augreg_in21k", "family": "vit"}
    models = {
        "published": timm,
        "clip": {"source": "open_clip", "architecture": "ViT-B-16/openai", "family": "clip"},
        "mine": timm | {"weights": "mine.safetensors"},
        "packed": timm | {"weights": "package:some_package/weights.pth"},
        "random": timm | {"weights": "random"},
        "lab_random": lab("vit", weights="random"),
    }
    graph = graph_of(models, {"low_pass": {}}, weights="hub")
    published = Path("hub/timm_vit_tiny_patch16_224.augreg_in21k.safetensors")
    assert graph.weights("published") == [published]
    assert graph.spec("published").weights == str(published)  # jobs read no network
    assert graph.weights("clip") == [Path("hub/open_clip_ViT-B-16_openai.safetensors")]
    assert graph.weights("mine") == [Path("mine.safetensors")]
    assert [graph.weights(name) for name in ("packed", "random", "lab_random")] == [[], [], []]
    assert graph.training_curves() == []


def test_a_table_is_found_by_its_name_and_an_array_beside_it():
    graph = graph_of({"vit": lab("vit"), "two": lab("vit", beside="vit")}, {"collect": {}})
    assert graph.source("statistics") == graph.source("maps") == "collect"
    assert graph.table("statistics", "two") == OUT / "statistics/vit.parquet"
    assert graph.table("maps", "two") == OUT / "maps/vit.npz"
    tables = [OUT / "top/{group}.parquet", OUT / "statistics/{group}.parquet", OUT / "maps/{group}.npz"]
    assert graph.outputs("collect") == tables
    with pytest.raises(InputError, match="no experiment makes a table 'features_of_nothing'"):
        graph.source("features_of_nothing")


def test_a_job_depends_on_what_it_reads_of_the_scale_and_on_nothing_else():
    models = {"vit": lab("vit"), "cnn": lab("cnn")}
    asked = graph_of(models, {"locality": {}, "low_pass": {}}).asked("locality", "vit")
    assert asked == graph_of(models | {"new": lab("vit")}, {"locality": {}}).asked("locality", "vit")
    assert asked != graph_of(models, {"locality": {"patch": 8}}).asked("locality", "vit")
    assert asked != graph_of(models | {"vit": lab("vit", seed=2)}, {"locality": {}}).asked("locality", "vit")
    beside = models | {"new": lab("vit", beside="vit")}
    assert list(graph_of(beside, {"locality": {}}).asked("locality", "vit")) == ["vit", "new"]


def test_any_experiment_may_bring_its_images_to_size_in_a_way_of_its_own():
    models, wanted = {"vit": lab("vit")}, {"background": {}, "token_mixing": {}, "low_pass": {}}
    mixed = graph_of(models, wanted, preprocessing={"background": "paper", "token_mixing": "own", "others": "paper"})
    assert [mixed.preprocessing(name) for name in wanted] == ["paper", "own", "paper"]
    plain = graph_of(models, wanted, preprocessing={"background": "paper"})
    assert [plain.preprocessing(name) for name in wanted] == ["paper", "own", "own"]
    assert plain.asked("token_mixing", "vit") == mixed.asked("token_mixing", "vit")


def test_an_experiment_may_look_at_scenes_of_another_split():
    models, wanted = {"vit": lab("vit")}, {"localization": {}, "low_pass": {}, "locality": {}, "collect": {}}
    splits = {"localization": "textured", "low_pass": "validation", "zero_shot": "easy"}
    graph = graph_of(models, wanted, data={"kind": "scenes", "split": "validation", "splits": splits})
    assert graph.image_index("localization") == OUT / "data_textured/images.parquet"
    assert {graph.image_index(name).parent for name in ("low_pass", "locality", "collect")} == {OUT / "data"}
    assert graph.splits() == ["validation", "textured"]  # nobody takes part in zero_shot
    sheets = {OUT / "data": OUT / "figures/scenes.png", OUT / "data_textured": OUT / "figures/scenes_textured.png"}
    assert graph.data_figures() == sheets
    assert set(sheets.values()) <= set(graph.results())


WHOLE = {
    "collect": {},
    "visualize": DRAWN,
    "localization": {},
    "background": {},
    "low_pass": {},
    "features": {"judge": "clip"},
    "concepts": {"judge": "clip"},
    "zero_shot": {},
    "portraits": {"recipe": {"name": "fast"}},
}


def test_the_results_of_a_whole_run():
    vit = lab("vit", depths=["early", "late"])
    graph = graph_of({"vit": vit, "clip": lab("clip", experiments=["zero_shot", "concepts"])}, WHOLE)
    figures = ["scenes", "training", "visualizations_vit_early", "visualizations_vit_late", "top_images_vit"]
    figures += ["depth_vit", "concepts_vit", "zero_shot"]
    tables = ["background", "low_pass", "training", "zero_shot"]
    wanted = {
        *(OUT / f"claims.{kind}" for kind in ("csv", "md", "html")),
        OUT / "figures/paper.csv",
        *(OUT / f"figures/{name}.png" for name in figures),
    }
    assert set(graph.results()) == wanted | {OUT / f"tables/{name}.csv" for name in tables}
    assert graph.sheets() == [("vit", "early"), ("vit", "late")]
    assert [path.stem for path in graph.portrait_tables()] == ["depth_vit"]


def test_photographs_without_boxes_lack_the_results_that_need_them():
    names = ["collect", "visualize", "background", "low_pass"]
    models = {"cnn": {"source": "timm", "architecture": "resnet50.tv_in1k", "family": "cnn", "experiments": names}}
    wanted = {name: WHOLE[name] for name in names}
    without = graph_of(models, wanted, **photos()).results()
    assert without == [
        OUT / "claims.csv",
        OUT / "claims.md",
        OUT / "claims.html",
        OUT / "tables/low_pass.csv",
        OUT / "figures/photos.png",
        OUT / "figures/visualizations_cnn_late.png",
        OUT / "figures/top_images_cnn.png",
        OUT / "figures/paper.csv",
    ]
    with_boxes = graph_of(models, wanted, **photos(boxes="boxes")).results()
    assert set(with_boxes) - set(without) == {OUT / "tables/background.csv"}


OWN = '''"""Means of pixels."""
from vitexplore.experiments import Cost, Experiment, Options

def measure(model, loader):
    return None

EXPERIMENT = Experiment(measure, Options, tables={"means": ("image", "value")}, cost=lambda o, f: Cost(0, 0))
'''


def test_an_experiment_of_ones_own_is_one_of_the_scales(tmp_path):
    path = tmp_path / "pixels.py"
    path.write_text(OWN)
    models = {"vit": lab("vit"), "cnn": lab("cnn"), "other": lab("vit", experiments=[])}
    graph = graph_of(models, {"pixels": {}}, modules=[str(path)])
    assert graph.groups("pixels") == {"vit": ["vit"], "cnn": ["cnn"]}
    assert graph.experiments["pixels"].path == path
    assert graph.source("means") == "pixels"
    assert {OUT / "means/vit.parquet", OUT / "means/cnn.parquet"} <= set(graph.results())


def test_the_longest_jobs_start_first_and_before_them_what_they_read():
    models = {"vit": lab("vit", experiments=["collect", "visualize", "locality"]), "cnn": lab("cnn", experiments=[])}
    drawn = {"features": 2, "depths": ["late"], "images": 20, "recipes": [{"name": "fast"}]}
    wanted = {"collect": {}, "embed": {}, "visualize": drawn, "locality": {}}
    graph = graph_of(models, wanted, judges={"vit": "cnn"})
    assert {name: graph.priority(name) for name in graph.experiments} == {
        "collect": 2, "embed": 2, "visualize": 1, "locality": 0
    }  # fmt: skip
    models["vit"]["experiments"].append("ablation")
    drawn = {**drawn, "features": 9}
    graph = graph_of(models, {**wanted, "ablation": drawn}, judges={"vit": "cnn"})
    assert [graph.priority(name) for name in ("collect", "ablation", "visualize", "locality")] == [3, 2, 1, 0]


def test_images_are_collected_for_every_site_that_is_visualized():
    models = {"vit": lab("vit", experiments=["collect", "ablation"]), "plain": lab("vit", experiments=["collect"])}
    graph = graph_of(models, {"collect": {}, "ablation": {**DRAWN, "sites": ["value", "block"]}})
    collected = {name: graph.asked_of("collect", name)["settings"]["sites"] for name in models}
    assert collected == {"vit": ["ffn", "value", "block", "channel"], "plain": ["ffn", "channel"]}
