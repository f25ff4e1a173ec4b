"""Every kind of figure is drawn from tables alone, into the files that the scale asks for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from test_graph import WHOLE

from vitexplore import figures
from vitexplore.data.scene_sets import write_scenes
from vitexplore.errors import InputError
from vitexplore.figures import visualizations
from vitexplore.figures.overlays import seen
from vitexplore.figures.tables import collected_images, exemplars_of
from vitexplore.figures.visualizations import draw
from vitexplore.graph import Graph
from vitexplore.io import rows_of, write_tables
from vitexplore.png import encode
from vitexplore.scale import parse

LABS = ("vit", "vit_s1")
IMAGES, K, FEATURES, BLOCKS = 16, 3, 2, 3
LAB = {"source": "lab", "architecture": "lab_vit", "family": "vit"}
SCALE = {
    "scale": "drawn",
    "data": {"kind": "scenes", "count": IMAGES, "splits": {"localization": "textured"}},
    "models": {
        "vit": LAB,
        "vit_s1": {**LAB, "seed": 1, "beside": "vit"},
        "clip": {"source": "lab", "architecture": "lab_clip", "family": "clip", "experiments": ["zero_shot"]},
    },
    "experiments": {**WHOLE, "visualize": {**WHOLE["visualize"], "depths": ["early", "late"]}},
    "claims": [],
}


def grid(**columns) -> pd.DataFrame:
    """Each combination of the columns' values."""
    return pd.MultiIndex.from_product(columns.values(), names=columns).to_frame(index=False)


def png(_row) -> bytes:
    return encode(torch.rand(3, 8, 8))


def top() -> pd.DataFrame:
    table = grid(site=["ffn", "query"], block=range(BLOCKS), feature=range(FEATURES), rank=range(K))
    return table.assign(image=np.arange(len(table)) % IMAGES, score=1.0, crop=1.0)


def visualized() -> pd.DataFrame:
    table = grid(depth=["early", "late"], variant=["fast"], site=["query", "ffn"], feature=range(FEATURES))
    scores = {"score": 2.0, "natural": 1.0, "dead": False, "identification": 0.75}
    return table.assign(
        block=table["depth"].map({"early": 1, "late": 2}), picture=list(map(png, table.index)), **scores
    )


def portraits() -> pd.DataFrame:
    depth = grid(chosen_for=["depth"], block=range(BLOCKS), feature=range(FEATURES))
    depth = depth.assign(explained_by="class", value="car", bits=0.123456, word_1="wheel")
    concept = pd.DataFrame({"chosen_for": "concept", "block": [1], "feature": [0], "concept": "many", "held_out": 0.9})
    ground = pd.DataFrame({"chosen_for": "background", "block": [2], "feature": [1], "chosen_by": 0.04, "auroc": 0.05})
    table = pd.concat([depth, concept, ground], ignore_index=True)
    return table.assign(centroid=0.25, score=1.0, dead=False, picture=list(map(png, table.index)))


def ranks(**kinds) -> pd.DataFrame:
    table = grid(size=["own"], **kinds, image=range(IMAGES))
    return table.assign(rank=np.arange(len(table)) % 3)


def answers() -> pd.DataFrame:
    numbers = {"accuracy": 0.51239, "low": 0.4, "high": 0.6, "chance": 0.25, "images": IMAGES}
    return grid(factor=["class", "time"]).assign(**numbers)


TABLES = {
    "top": top,
    "visualize": visualized,
    "portraits": portraits,
    "background": lambda: ranks(condition=["full"], fill=[""], along=[""]),
    "low_pass": lambda: ranks(filter=["none", "disc"], strength=[0.5]),
    "zero_shot": answers,
}


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> Graph:
    """A scale whose tables are made; its results lie in the folder in which the tests run."""
    graph, folder = Graph(parse(SCALE)), tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for split in graph.splits():
            write_scenes(split, IMAGES, 1, graph.scenes_folder(split))
        for table, make in TABLES.items():
            for path, members in zip(graph.tables(table), graph.groups(graph.source(table)).values(), strict=True):
                write_tables(path, [(make(), {"model": name}) for name in members])
        (path,) = graph.tables("maps")
        path.parent.mkdir()
        maps = np.random.default_rng(0).random((FEATURES, K, 4, 4)).astype(np.float16)
        keys = [f"{name}/{site}_{block}" for name in LABS for site in ("ffn", "query") for block in range(BLOCKS)]
        np.savez(path, **dict.fromkeys(keys, maps))
        yield graph


def files(graph: Graph) -> dict[str, list[Path]]:
    """What the rules want of each kind."""
    portraits = [path for what in ("depth", "concepts") for path in graph.portrait_figures(what)]
    return {
        "contact_sheet": list(graph.data_figures().values()),
        "top_images": graph.top_images_figures(),
        "visualizations": graph.sheet_figures(),
        "training": graph.training(),
        "zero_shot": graph.zero_shot(),
        "portraits": [*portraits, *graph.portrait_tables()],
        "accuracy": graph.accuracies(),
    }


@pytest.mark.parametrize("kind", [kind for kind in figures.KINDS if kind != "paper.data"])  # test_paper_figures.py
def test_a_kind_writes_the_files_that_the_scale_asks_for(graph, kind):
    wanted = files(graph)[kind]
    assert wanted
    for path in wanted:
        path.unlink(missing_ok=True)
    before = set(graph.out.rglob("*.*"))
    figures.write(kind, graph)
    assert set(graph.out.rglob("*.*")) - before == set(wanted)
    assert all(path.stat().st_size > 0 for path in wanted)


def first_lines(graph: Graph, kind: str, name: str) -> list[str]:
    figures.write(kind, graph)
    return graph.summary(name).read_text().splitlines()[:2]


def test_tables_have_todays_columns_and_digits(graph):
    assert first_lines(graph, "zero_shot", "zero_shot") == [
        "model,factor,accuracy,low,high,chance,images",
        "clip,class,0.5124,0.4000,0.6000,0.2500,16",
    ]
    assert first_lines(graph, "portraits", "depth_vit_s1") == [
        "block,feature,explained_by,value,bits,centroid,word_1",
        "0,0,class,car,0.1235,0.2500,wheel",
    ]
    intervals = ",".join(f"top{k},top{k}_low,top{k}_high" for k in (1, 2, 5))
    head, row = first_lines(graph, "accuracy", "low_pass")
    assert head == f"model,size,filter,strength,{intervals},n"
    assert row.startswith("vit,own,none,0.50,37.50,") and row.endswith(",16")
    assert first_lines(graph, "accuracy", "background")[0] == f"model,size,condition,fill,along,{intervals},n"


def test_training_curves_are_kept_as_they_are(graph):
    figures.write("training", graph)
    table = pd.read_csv(graph.summary("training"))
    assert list(table["model"].unique()) == ["lab_clip_s0", "lab_vit_s0", "lab_vit_s1"]
    mine = table[table["model"] == "lab_vit_s1"].drop(columns="model").reset_index(drop=True)
    written = pd.read_csv(graph.shipped_weights / "lab_vit_s1.csv")
    pd.testing.assert_frame_equal(mine[list(written)], written)


def test_models_in_one_file_are_told_apart(graph):
    assert graph.table("visualize", "vit") == graph.table("visualize", "vit_s1")
    mine = rows_of(graph.table("visualize", "vit_s1"), "vit_s1")
    assert set(mine["model"]) == {"vit_s1"} and len(mine) == len(visualized())
    title = " ".join(draw(mine[mine["depth"] == "late"], {}).texts[0].get_text().splitlines())
    assert title == "vit_s1, block 2 (late): what features of query, ffn look for; recipe fast"


def test_a_depth_at_which_nothing_was_drawn_says_so(graph, monkeypatch):
    def late_only(path: Path, model: str) -> pd.DataFrame:
        table = rows_of(path, model)
        return table.assign(picture=table["picture"].where(table["depth"] == "late"))

    monkeypatch.setattr(visualizations, "rows_of", late_only)
    found = visualizations.show(graph)
    assert set(found) == set(graph.sheet_figures())
    said = {path.stem: " ".join(figure.texts[0].get_text().split()) for path, figure in found.items()}
    assert said["visualizations_vit_early"].startswith("vit, early: nothing is drawn")
    assert said["visualizations_vit_late"].startswith("vit, block 2 (late): what features")


def test_a_features_exemplars_are_its_own_best_images_and_maps(graph):
    chosen = pd.DataFrame({"site": ["ffn", "query"], "block": [1, 2], "feature": [1, 0], "more": 0})
    images = collected_images(graph)
    found = exemplars_of(graph, "vit_s1", images, chosen)
    assert set(found) == {("ffn", 1, 1), ("query", 2, 0)}
    table, mine = top(), found["ffn", 1, 1]
    best = table[(table["site"] == "ffn") & (table["block"] == 1) & (table["feature"] == 1)]["image"]
    assert len(mine.images) == K == len(mine.maps)
    assert all(np.array_equal(a, seen(images.image(b), 1.0)) for a, b in zip(mine.images, best, strict=True))
    with np.load(graph.table("maps", "vit_s1")) as maps:
        assert np.array_equal(mine.maps, maps["vit_s1/ffn_1"][1])


def test_a_kind_that_does_not_exist_is_refused_with_those_that_do(graph):
    with pytest.raises(InputError, match="no figures 'plots'; there are accuracy, contact_sheet"):
        figures.write("plots", graph)


def test_figures_claims_and_the_atlas_need_no_torch():
    modules = [f"vitexplore.figures.{kind}" for kind in figures.KINDS] + [
        "vitexplore.claims.write",
        "vitexplore.claims.join",
        "vitexplore.atlas.write",
    ]
    asks = f"import sys, {', '.join(modules)}; vitexplore.figures.captions.class_names()"
    words = [sys.executable, "-c", f"{asks}; sys.exit('torch' in sys.modules)"]
    done = subprocess.run(words, cwd=Path(__file__).parent.parent, check=False)
    assert done.returncode == 0
