"""Each figure and table of the paper is drawn under its number, from kept data alone."""

import shutil
from itertools import combinations
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from test_figures import FEATURES as SHOWN
from test_figures import grid, png, visualized
from test_graph import WHOLE

from vitexplore import figures
from vitexplore.data.scene_sets import write_scenes
from vitexplore.errors import InputError
from vitexplore.figures.paper.depth import best_of_each_factor
from vitexplore.figures.paper.draw import draw, draw_front, read
from vitexplore.figures.paper.features import Features
from vitexplore.figures.paper.items import ITEMS
from vitexplore.figures.paper.maps import spreads
from vitexplore.figures.paper.tiles import Tiles
from vitexplore.figures.style import COLUMN, PAGE, TEXT, style
from vitexplore.graph import Graph
from vitexplore.io import write_tables
from vitexplore.scale import parse

IMAGES, K, FEATURES, BLOCKS, SIDE = 24, 6, 8, 4, 3
MODELS = {"vit": "vit", "vit_s1": "vit", "clip": "clip"}
SPECS = {
    "vit": {"source": "lab", "architecture": "lab_vit", "family": "vit"},
    "vit_s1": {"source": "lab", "architecture": "lab_vit", "family": "vit", "seed": 1, "beside": "vit"},
    "clip": {"source": "lab", "architecture": "lab_clip", "family": "clip"},
}
EXPERIMENTS = {**WHOLE, "visualize": {**WHOLE["visualize"], "depths": ["early", "late"]}, "token_mixing": {}}


def scale(models: dict) -> dict:
    return {
        "scale": "printed",
        "data": {"kind": "scenes", "count": IMAGES},
        "models": models,
        "experiments": EXPERIMENTS,
        "claims": [],
    }


def top() -> pd.DataFrame:
    table = grid(site=["ffn"], block=range(BLOCKS), feature=range(FEATURES), rank=range(K))
    return table.assign(image=np.arange(len(table)) % IMAGES, score=1.0, crop=1.0)


def drawn() -> pd.DataFrame:
    table = visualized()
    return pd.concat([table, table.assign(site="key"), table.assign(site="value")]).assign(identification=0.5)


def portraits() -> pd.DataFrame:
    depth = grid(chosen_for=["depth"], block=range(BLOCKS), feature=range(FEATURES))
    depth = depth.assign(explained_by="arrangement", value="before and after", bits=0.1)
    concept = pd.DataFrame({"chosen_for": "concept", "block": [1, 3, 2], "feature": [0, 7, 3]})
    concept["concept"] = ["before and after", "from above", "animal"]
    ground = pd.DataFrame({"chosen_for": "background", "block": [2], "feature": [1]})
    table = pd.concat([depth, concept, ground], ignore_index=True)
    return table.assign(score=1.0, dead=table["feature"] == 2, picture=list(map(png, table.index)))


def aurocs(**names) -> pd.DataFrame:
    table, rng = grid(**names), np.random.default_rng(0)
    return table.assign(auroc=list(rng.random((len(table), IMAGES))), control=list(rng.random((len(table), IMAGES))))


TABLES = {
    "top": top,
    "visualize": drawn,
    "portraits": portraits,
    "localization": lambda: aurocs(block=range(BLOCKS), feature=range(FEATURES)),
}
SEEDS = {"model": ["vit", "vit_s1", "vit (2 seeds)"], "within": ["vit (2 seeds)", "vit (2 seeds)", ""]}


def of_seeds(value: str, number: float, **known) -> pd.DataFrame:
    """Rows of two seeds and of both together, with an interval."""
    ends = {value: [number - 10, number + 10, number], f"{value}_low": number - 15, f"{value}_high": number + 15}
    return pd.DataFrame(SEEDS | ends | known)


def heads() -> pd.DataFrame:
    measures = {"natural": 90, "patch_average": 40, "best_position": 60, "patch_maximum": 61}
    parts = [of_seeds("top1", number, measure=name, n=IMAGES) for name, number in measures.items()]
    places = [of_seeds("top1", at, measure="position", at=at, grid_width=SIDE, n=IMAGES) for at in range(SIDE**2)]
    return pd.concat([*parts, *places], ignore_index=True).assign(classes=16)


def isolated() -> pd.DataFrame:
    """Never joined at 20 percent, joined before the last block at 80."""
    return pd.concat(
        of_seeds("top1", number, surgery="isolated_cls", before_block=at, n=IMAGES)
        for at, number in enumerate((90, 88, 85, 80, 20))
    )


def cut() -> pd.DataFrame:
    return pd.concat(
        of_seeds("retained", kept, condition=condition, fill="black", along="boxes", size="own", family="vit", k=2)
        for condition, kept in (("foreground", 0.8), ("background", 0.3))
    ).assign(images=IMAGES)


def filtered() -> pd.DataFrame:
    rows = grid(family=["vit"], strength=[1 / 32, 1 / 8, 1 / 2], networks=[1, 2])
    rows = rows.assign(model="vit", size="compared", filter="disc", n=IMAGES)
    return rows.assign(kept=rows["networks"] / 4, kept_low=0.1, kept_high=0.9)


def concepts() -> pd.DataFrame:
    table = grid(model=["vit", "clip"], concept=["before and after", "from above", "animal"])
    kind = table["concept"].map({"animal": "category"}).fillna("caption")
    return table.assign(kind=kind, held_out=0.9, pixel_held_out=0.6)


OF_CLAIMS = {
    "head_on_patches": heads,
    "isolated_cls": isolated,
    "background": cut,
    "low_pass": filtered,
    "language_concepts": concepts,
    "ffn_over_qkv": lambda: grid(
        model=["vit"], variant=["fast", "last"], depth=["early", "late"], site=["ffn", "query", "key", "value"]
    ).assign(told=0.7, n=10.0, dead=0.1),
    "maps_localize": lambda: pd.DataFrame(
        {"model": "vit", "class": list("abcdef"), "block": 1, "feature": range(6), "sign": [1, -1] * 3}
    ).assign(auroc=np.linspace(0.5, 0.9, 6), pixels=0.6),
}


def finished(folder: Path, models: dict, tables: dict = TABLES, claims: dict = OF_CLAIMS) -> Path:
    """The results of a scale whose ``tables`` and those of ``claims`` are made, with the data of the paper's
    figures."""
    graph = Graph(parse(scale(models)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_scenes("test", IMAGES, 1, graph.scenes_folder("test"))
        for table, make in tables.items():
            for path, members in zip(graph.tables(table), graph.groups(graph.source(table)).values(), strict=True):
                known = [{"model": name, "random_weights": False, **SPECS[name]} for name in members]
                write_tables(path, [(make(), each) for each in known])
        maps = np.random.default_rng(0).random((FEATURES, K, SIDE, SIDE)).astype(np.float16)
        for path, members in zip(graph.tables("maps"), graph.groups("collect").values(), strict=True):
            path.parent.mkdir(exist_ok=True)
            keys = [f"{name}/ffn_{block}" for name in members for block in range(BLOCKS)]
            np.savez(path, **dict.fromkeys(keys, maps))
        for claim, make in claims.items():
            graph.summary(f"claim_{claim}").parent.mkdir(parents=True, exist_ok=True)
            make().to_csv(graph.summary(f"claim_{claim}"), index=False)
        figures.write("paper.data", graph)
    return folder / graph.out


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = finished(tmp_path_factory.mktemp("printed"), SPECS)
    draw(folder)
    return folder


def listed(results: Path) -> pd.DataFrame:
    return pd.read_csv(results / "figures/paper.csv", keep_default_na=False).set_index("item")


def test_every_item_of_the_paper_has_a_row_and_its_files(results):
    found = listed(results)
    numbers = ["fig1", "fig2", "fig3", "fig4", "table1", "fig5", "fig6", "table2", "fig7", "fig8", "fig9", "fig14"]
    assert list(found.index) == [*numbers, "appendix"]
    drawn = found[found["file"] != ""]
    assert list(drawn.index) == numbers
    for row in drawn.itertuples():
        assert (results / row.file).read_bytes().startswith(b"%PDF")
        assert (results / row.file).with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        assert (results / row.table).exists()
    claims = {path.parent.name for path in Path("analyses").glob("*/claim.yaml")}
    assert {claim for row in found["claim"] for claim in row.split()} <= claims
    assert "scale `paper`" in found.loc["appendix", "note"] and found.loc["fig6", "note"] == "drawn with Fig. 1"


def test_drawing_anew_from_the_kept_data_gives_the_same_bytes_and_leaves_matplotlib_as_it_was(results, tmp_path):
    kept = tmp_path / "tables/paper"
    shutil.copytree(results / "tables/paper", kept)
    before = dict(matplotlib.rcParams)
    draw(tmp_path)
    assert dict(matplotlib.rcParams) == before
    files = sorted((results / "figures").rglob("*.*"))
    assert len(files) == 2 * 11 + 1
    assert all(path.read_bytes() == (tmp_path / path.relative_to(results)).read_bytes() for path in files)


def texts_of(figure: Figure) -> list:
    """All text that is seen, once it is laid out."""
    FigureCanvasAgg(figure).draw()
    found = list(figure.texts)
    for axis in figure.axes:
        found += [*axis.texts, axis.title, axis.xaxis.label, axis.yaxis.label]
        found += [text for text in axis.get_xticklabels() if _within(text.get_position()[0], axis.get_xlim())]
        found += [text for text in axis.get_yticklabels() if _within(text.get_position()[1], axis.get_ylim())]
        found += axis.get_legend().get_texts() if axis.get_legend() else []
    return [text for text in found if text.get_text() and text.get_visible()]


def _within(value: float, limits: tuple[float, float]) -> bool:
    return min(limits) <= value <= max(limits)


@pytest.mark.parametrize("name", [name for name, item in ITEMS.items() if item.draw])
def test_no_text_is_cut_small_or_over_another(results, name):
    with style(in_print=True):
        figure = ITEMS[name].draw(read(results / f"tables/paper/{name}.csv"))
        texts = texts_of(figure)
    assert figure.get_figwidth() in (COLUMN, PAGE)
    assert min(text.get_fontsize() for text in texts) >= TEXT
    found = {text: text.get_window_extent() for text in texts}
    for text, box in found.items():
        inside = figure.bbox.padded(1)
        assert inside.containsx(box.x0) and inside.containsx(box.x1), text
        assert inside.containsy(box.y0) and inside.containsy(box.y1), text
    over = [(a, b) for a, b in combinations(found, 2) if found[a].padded(-1).overlaps(found[b].padded(-1))]
    assert not over


def test_the_papers_numbers_are_those_of_the_reference(results):
    table = pd.read_csv(results / "tables/paper/table1.csv")
    theirs = table[table["source"] == "paper"].set_index("measure")["value"]
    printed = pd.read_csv("analyses/head_on_patches/reference.csv").query("source == 'table 1'").set_index("measure")
    assert theirs.rename({"best_position": "patch_maximum"}).to_dict() == printed["top1"].to_dict() and len(theirs) == 4
    table = pd.read_csv(results / "tables/paper/table2.csv")
    theirs = table[table["source"] == "paper"].pivot(index="model", columns="condition", values="value")
    printed = pd.read_csv("analyses/background/reference.csv").set_index("paper_name")
    for condition in ("foreground", "background"):
        assert theirs[condition].to_dict() == printed[f"norm_{condition}_top5"].to_dict()


def test_measured_numbers_are_those_of_the_analyses_with_training_seeds_together(results):
    table = pd.read_csv(results / "tables/paper/table1.csv").query("source == 'measured'").set_index("measure")
    assert set(table["model"]) == {"vit (2 seeds)"}
    wanted = {"natural": 90, "isolating_cls": 80, "patch_average": 40, "best_position": 60}
    assert table["value"].to_dict() == wanted and table["low"].to_dict() == {k: v - 15 for k, v in wanted.items()}
    heat = pd.read_csv(results / "tables/paper/fig5.csv")
    assert heat["top1"].tolist() == list(range(SIDE**2)) and set(heat["natural"]) == {90}
    kept = (
        pd.read_csv(results / "tables/paper/table2.csv").query("source == 'measured'").set_index("condition")["value"]
    )
    assert kept.to_dict() == pytest.approx({"foreground": 80, "background": 30})
    curve = pd.read_csv(results / "tables/paper/fig14.csv")
    assert set(curve["value"]) == {50} and set(curve["networks"]) == {2}
    shapes = pd.read_csv(results / "tables/paper/fig4.csv").drop_duplicates("shape")
    assert shapes["shape"].tolist() == ["f", "d", "c", "a"] and shapes["sign"].tolist() == [-1, -1, 1, 1]
    assert set(pd.read_csv(results / "tables/paper/fig3.csv")["told"]) == {0.7}


def test_a_claim_that_is_not_tested_has_no_item(tmp_path):
    without = {name: make for name, make in OF_CLAIMS.items() if name != "background"}
    why = pd.DataFrame({"not_run": ["needs a model of the family cnn"]})
    results = finished(tmp_path, SPECS, claims=without | {"low_pass": lambda: why})
    notes = pd.read_csv(results / "tables/paper/items.csv", keep_default_na=False).set_index("item")["note"]
    assert notes["table2"] == "background: this scale does not test it"
    assert notes["fig14"] == "low_pass: needs a model of the family cnn"


def test_a_scale_without_clip_says_why_it_has_none(tmp_path):
    results = finished(tmp_path, SPECS | {"clip": SPECS["clip"] | {"experiments": ["concepts"]}})
    for path in (results / "tables/paper").glob("[ft]*.*"):  # but what says why
        path.unlink()
    draw(results)
    found = listed(results)
    assert found.loc[["fig8", "fig9"], "file"].tolist() == ["", ""]
    assert "no CLIP" in found.loc["fig8", "note"]


def test_of_a_depth_the_best_feature_of_each_factor_comes_first():
    drawn = pd.DataFrame({"feature": [5, 4, 3, 2], "explained_by": ["colour", "colour", "class", "class"]})
    assert best_of_each_factor(drawn)["feature"].tolist() == [5, 3, 4, 2]


def test_of_several_recipes_the_last_at_which_a_feature_fires_is_shown(tmp_path, monkeypatch):
    def twice() -> pd.DataFrame:
        last = drawn().assign(variant="last")
        return pd.concat([drawn(), last.assign(dead=last["feature"] == 1)], ignore_index=True)

    models = {"vit": SPECS["vit"] | {"experiments": ["collect", "visualize"]}}
    models["clip"] = SPECS["clip"] | {"experiments": []}
    finished(tmp_path, models, {"top": top, "visualize": twice})
    monkeypatch.chdir(tmp_path)
    shown = Features(Graph(parse(scale(models))), "vit", None).drawn
    found = list(shown[["block", "feature", "variant"]].itertuples(index=False, name=None))
    assert found == [(block, at, "fast" if at == 1 else "last") for block in (1, 2) for at in range(SHOWN)]


def test_without_a_feature_that_fires_there_are_maps_but_no_visualizations(tmp_path):
    results = finished(tmp_path, SPECS, TABLES | {"portraits": lambda: portraits().assign(dead=True)})
    notes = pd.read_csv(results / "tables/paper/items.csv", keep_default_na=False).set_index("item")["note"]
    assert notes["fig1"] == "no feature of this scale fires at its visualization" and notes["fig2"] == ""
    assert set(pd.read_csv(results / "tables/paper/fig2.csv")["kind"]) == {"image", "map"}
    assert not (results / "tables/paper/fig1.csv").exists()


def test_without_a_visualized_query_there_is_no_figure_of_sites(tmp_path):
    results = finished(tmp_path, SPECS, TABLES | {"visualize": lambda: drawn().assign(picture=None)})
    notes = pd.read_csv(results / "tables/paper/items.csv", keep_default_na=False).set_index("item")["note"]
    assert notes["fig3"] == "this scale visualizes no query, key and value" and notes["fig1"] == ""


def test_features_that_are_silent_in_their_top_images_have_no_maps_to_show(tmp_path):
    """All but feature 5: behind a GELU a silent one lies a little below 0."""

    def silent() -> pd.DataFrame:
        return top().assign(score=lambda table: np.where(table["feature"] == 5, 1.0, -0.1))

    results = finished(tmp_path, SPECS, TABLES | {"top": silent})
    assert set(pd.read_csv(results / "tables/paper/fig7.csv")["feature"]) == {5}


def test_tiles_survive_the_file(tmp_path):
    pictures = np.random.default_rng(0).integers(256, size=(19, 5, 5, 3), dtype=np.uint8)
    tiles = Tiles(pd.DataFrame({"number": range(19)}), pictures)
    tiles.table.to_csv(tmp_path / "some.csv", index=False)
    Image.fromarray(tiles.atlas()).save(tmp_path / "some.png")
    found = Tiles.read(tmp_path / "some.csv")
    assert np.array_equal(found.pictures, pictures) and len(found.table) == 19


def test_the_spread_of_a_map_is_0_where_it_is_flat_and_unknown_where_it_is_silent():
    flat, halves, silent = np.ones((2, 2, 2)), np.array([[[0.0, 2.0], [0.0, 2.0]]] * 2), -np.ones((2, 2, 2))
    assert spreads(np.stack([flat, halves, silent])).to_dict() == {0: 0.0, 1: 1.0}


def test_a_front_picture_is_of_all_folders(results, tmp_path):
    draw_front([results, results], tmp_path / "front.png")
    assert (tmp_path / "front.png").stat().st_size > 0
    with pytest.raises(InputError, match=r"fig1\.csv: no such file"):
        draw_front([tmp_path], tmp_path / "front.png")


def test_a_folder_without_data_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"items\.csv: no such file; finish a run first"):
        draw(tmp_path)
