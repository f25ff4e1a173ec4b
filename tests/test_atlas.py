"""The data of the atlas: against made tables with known answers, and its parts against slow ways."""

import numpy as np
import pandas as pd
import pytest
from atlas_run import (
    BLOCKS,
    CROP,
    DEAD,
    RESEEDED,
    SCALE,
    SILENT,
    STRIPED,
    TWIN,
    VIEWS,
    WIDTH,
    WORDS,
    K,
    held,
    made_atlas,
)
from PIL import Image

from vitexplore.atlas import evidence, features
from vitexplore.atlas.features import SCORES, Features
from vitexplore.atlas.firing import firing
from vitexplore.atlas.images import Images
from vitexplore.atlas.neighbours import nearest, standardized
from vitexplore.atlas.sprites import LARGEST, shares, write_maps, write_sheet, write_thumbnail
from vitexplore.atlas.tables import inputs
from vitexplore.atlas.write import ACROSS, SHARD, STATIC, write_atlas
from vitexplore.claims.text import claims_in_order
from vitexplore.data.loading import Loader
from vitexplore.errors import InputError
from vitexplore.figures.overlays import COLOUR
from vitexplore.figures.tables import collected_images
from vitexplore.graph import Graph
from vitexplore.io import rows_of
from vitexplore.measures.responses import responses, views_of
from vitexplore.models.sites import Site, read
from vitexplore.scale import parse


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of an atlas of the made run, and its graph."""
    with made_atlas(tmp_path_factory.mktemp("atlas")) as (results, graph):
        yield results / "atlas", graph


@pytest.fixture(scope="module")
def atlas(run):
    return run[0]


def record(atlas, at):
    model, site, block, feature = at
    return held(atlas, f"features/{model}/{site}_{block}_{feature // SHARD}")[feature % SHARD]


# parts


def test_nearest_features_are_those_of_all_correlations():
    draw = np.random.default_rng(0)
    mine, others = draw.normal(size=(50, 7)), draw.normal(size=(50, 9))
    r = np.corrcoef(mine.T, others.T)[:7, 7:]
    found, values = nearest(standardized(mine), standardized(others), 3, same=False)
    assert (found == np.argsort(-r, axis=1)[:, :3]).all()
    assert values == pytest.approx(-np.sort(-r, axis=1)[:, :3], abs=1e-5)


def test_a_feature_is_not_its_own_neighbour_and_one_that_never_changes_is_nobodys():
    acts = np.random.default_rng(0).normal(size=(30, 4))
    acts[:, 2] = acts[:, 0] * 3 - 1
    acts[:, 3] = 5
    found, values = nearest(standardized(acts), standardized(acts), 2, same=True)
    assert found[0, 0] == 2 and found[2, 0] == 0 and values[0, 0] == pytest.approx(1, abs=1e-5)
    assert (values[3] == 0).all()
    assert not (found == np.arange(4)[:, None]).any()


def test_shares_are_of_the_most_and_coarser_where_maps_are_fine():
    maps = np.array([[-1, 0], [1, 4]], np.float16).reshape(1, 1, 2, 2)
    assert shares(maps, np.array([2.0], np.float32)).reshape(-1).tolist() == [0, 0, 128, 255]
    assert not shares(maps, np.array([0.0], np.float32)).any()
    fine = np.random.default_rng(0).uniform(size=(1, 1, 56, 56))
    wanted = 255 * fine.reshape(28, 2, 28, 2).mean((1, 3))
    assert shares(fine, np.array([1.0], np.float32))[0, 0] == pytest.approx(wanted, abs=0.51)
    assert shares(np.zeros((1, 1, 55, 57)), np.array([1.0], np.float32)).shape == (1, 1, 19, 19)


def test_a_sheet_of_maps_is_their_colour_as_opaque_as_they_fire(tmp_path):
    wanted = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 2), dtype=np.uint8)
    write_maps(tmp_path / "m.webp", wanted)
    sheet = np.asarray(Image.open(tmp_path / "m.webp"))
    assert (sheet[..., :3] == COLOUR).all()
    for feature, image in np.ndindex(3, 5):
        tile = sheet[4 * feature : 4 * feature + 4, 2 * image : 2 * image + 2, 3]
        assert (tile == wanted[feature, image]).all()


def test_a_sheet_of_pictures_has_each_in_its_place(tmp_path):
    greys = [np.full((16, 16, 3), 20 * number, np.uint8) for number in range(10)]
    write_sheet(tmp_path / "s.webp", greys, 4)
    sheet = np.asarray(Image.open(tmp_path / "s.webp"))
    assert sheet.shape == (48, 64, 3)
    for number in range(10):
        row, column = divmod(number, 4)
        assert abs(int(sheet[16 * row + 8, 16 * column + 8, 1]) - 20 * number) <= 4


def test_what_fires_at_a_place_is_what_is_nearest_to_its_most():
    maps = np.random.default_rng(0).integers(0, 256, (20, 3, 4), dtype=np.uint8)
    maps[:, 0, 0] = 10  # nothing fires there
    found = firing(maps)
    assert found["grid"] == [3, 4] and found["at"][0] == []
    for place in range(1, 12):
        column = maps.reshape(20, -1)[:, place]
        best = sorted(range(20), key=lambda feature, column=column: -int(column[feature]))[:6]
        assert found["at"][place][::2] == [feature for feature in best if column[feature] / 2.55 >= 15]
        assert found["at"][place][1::2] == [round(column[feature] / 2.55) for feature in found["at"][place][::2]]


def test_responses_are_means_of_maps_and_views_are_maps(shared_vit, scenes):
    loader = Loader(scenes).of(np.array([4, 1, 9]))
    acts, maps = responses(shared_vit, loader, ["ffn", "key", "channel"]), views_of(shared_vit, loader)
    assert acts["images"].tolist() == maps["images"].tolist() == [4, 1, 9]
    pictures = next(iter(loader.batches(shared_vit.spec)))[1]
    wanted = read(shared_vit, Site("ffn", 2), pictures)
    rows, columns = wanted.grid
    assert maps["ffn_2"] == pytest.approx(wanted.bpc.mT.unflatten(2, (rows, columns)).detach().numpy(), abs=2e-3)
    assert acts["ffn_2"] == pytest.approx(maps["ffn_2"].astype(float).mean((2, 3)), abs=2e-3)
    keys = read(shared_vit, Site("key", 1), pictures).bpc.mean(1).detach().numpy()
    assert acts["key_1"] == pytest.approx(keys, abs=2e-3)
    assert {name.partition("_")[0] for name in acts} == {"images", "ffn", "key"}
    assert {name.partition("_")[0] for name in maps} == {"images", "ffn"}


# the whole


def test_the_catalog_names_models_blocks_scores_and_claims(atlas):
    catalog = held(atlas, "catalog")
    assert [model["name"] for model in catalog["models"]] == ["vit", "cnn"]
    for model in catalog["models"]:
        own = [block for block in model["blocks"] if block["site"] != "query"]
        assert [block["features"] for block in own] == [WIDTH[model["name"]]] * BLOCKS[model["name"]]
        assert model["crop"] == CROP[model["name"]] and len(model["views"]) == VIEWS
    assert catalog["models"][0]["blocks"][-1]["site"] == "query"  # a model's own site comes first
    assert {score["name"] for score in catalog["scores"]} == set(SCORES) - {
        *("interpretability", "ratio", "high_frequency")  # which the made pictures have not
    }
    assert catalog["first"] == {"model": "vit", "site": "ffn", "block": 1, "feature": STRIPED[3]}
    assert {claim["name"]: claim["word"] for claim in catalog["claims"]} == WORDS


def test_a_record_says_what_the_tables_say(run):
    atlas, graph = run
    found = record(atlas, STRIPED)
    top = rows_of(graph.table("top", "vit"), "vit").query("site == 'ffn' and block == 1 and feature == 3")
    assert found["top"][0] == top.sort_values("rank")["image"].tolist()
    assert found["words"][0] == ["striped", 0.5] and found["information"]["stripes"] == 0.7
    assert sum(found["histogram"][2]) == 40
    assert found["quantiles"][0][1] == found["top"][0][0]  # of 40 images, the 99th percentile is the best one
    assert set(found["lowest"][0]).isdisjoint(found["top"][0])
    assert [picture["variant"] for picture in found["pictures"]] == ["paper", "fast"]


def test_neighbours_in_another_model_are_by_the_same_images(atlas):
    found = record(atlas, STRIPED)["near"]
    assert found["cnn"][0][:3] == list(TWIN[1:]) and found["cnn"][0][3] == pytest.approx(1, abs=1e-3)
    assert [*STRIPED[1:]] not in [each[:3] for each in found["vit"]]
    assert record(atlas, TWIN)["near"]["vit"][0][:3] == list(STRIPED[1:])


def test_neighbours_of_a_query_are_queries(atlas):
    near = record(atlas, ("vit", "query", 1, 2))["near"]
    assert set(near) == {"vit"} and {site for site, *_ in near["vit"]} == {"query"}
    for feature in (STRIPED, TWIN):
        every = [each for found in record(atlas, feature)["near"].values() for each in found]
        assert {site for site, *_ in every} == {"ffn", "channel"}


def test_each_seed_has_a_picture_of_its_own(atlas):
    first, second = record(atlas, RESEEDED)["pictures"]
    assert [each["variant"] for each in (first, second)] == ["portrait", "portrait"]
    assert [(each["seed"], each["dead"]) for each in (first, second)] == [(0, False), (1, True)]
    assert {first["at"], second["at"]} == {0, 1}
    assert held(atlas, "lists/vit/ffn_2")["drawn"][RESEEDED[3]] == ["portrait", first["at"]]
    assert [picture["seed"] for picture in record(atlas, STRIPED)["pictures"]] == [0, 0]


def test_a_picture_that_reaches_its_feature_comes_first(monkeypatch):
    about = {"site": "ffn", "block": 1, "feature": 3, "recipe": "{}", "picture": b""}
    drawn = pd.DataFrame([about | {"variant": "paper", "dead": True}, about | {"variant": "fast", "dead": False}])
    monkeypatch.setattr(features, "rows", lambda _graph, table, _model: drawn if table == "visualize" else drawn[:0])
    assert list(Features(Graph(parse(SCALE)), "vit").pictures["variant"]) == ["fast", "paper"]


def test_a_claim_has_the_images_that_speak_most_and_least_for_it(run):
    atlas, graph = run
    images = {claim["name"]: claim["images"] for claim in held(atlas, "catalog")["claims"]}
    assert {name for name in WORDS if images[name]} == {"background"}
    values = pd.read_csv(graph.by_image("background")).set_index("image")["value"]
    most = list(values.sort_values(ascending=False).index)
    found = images["background"]
    assert [image for image, _ in found["most"]] == most[:6]
    assert [image for image, _ in found["least"]] == most[::-1][:6]
    assert found["most"][0][1] == pytest.approx(values[most[0]], abs=1e-3)
    assert found["says"].startswith("share of the ViTs")
    assert all((atlas / f"images/{image}.webp").exists() for image in most[:6])


def test_images_of_another_set_than_the_atlas_shows_are_no_evidence():
    graph = Graph(parse({**SCALE, "data": {**SCALE["data"], "splits": {"locality": "unlinked"}}}))
    claim = claims_in_order(graph.root / "analyses")["local_until_last"]
    assert "images" in claim.text and evidence.evidence(graph, claim) is None


def test_a_list_is_searched_by_what_is_known_of_features(atlas):
    found = held(atlas, "lists/vit/ffn_1")
    assert found["texts"]["explained"][3] == "stripes" and found["texts"]["value"][3] == "striped"
    assert [feature for feature, text in enumerate(found["texts"]["concepts"]) if text] == [3]
    assert found["scores"]["purity"][3] == 0.9 and found["scores"]["purity"][4] is None
    assert found["dead"] == [DEAD[3], SILENT[3]]
    assert found["drawn"][3] == ["paper", 0] and found["drawn"][5] == ["paper", 1] and found["drawn"][4] == 0
    assert found["claims"] == {"ffn_over_qkv": [3, 5], "maps_localize": "all"}


def test_what_four_in_five_images_share_is_told(run):
    images = Images(collected_images(run[1]))
    table = images.images.table
    night, day = table.query("night").index, table.query("not night").index
    assert "at night" in images.shared([*night[:4], day[0]]).split(", ")
    assert "at night" not in images.shared([*night[:3], *day[:2]]).split(", ")


def test_every_file_that_a_page_asks_for_is_there(atlas):
    catalog = held(atlas, "catalog")
    shown = set()
    for model in catalog["models"]:
        name = model["name"]
        shown |= set(model["views"])
        assert all(held(atlas, f"firing/{name}/{image}") for image in model["views"])
        for block in model["blocks"]:
            key = f"{block['site']}_{block['block']}"
            listed, every = held(atlas, f"lists/{name}/{key}"), []
            assert {len(column) for column in (*listed["scores"].values(), *listed["texts"].values())} == {
                block["features"]
            }
            for shard in range(-(-block["features"] // SHARD)):
                count = min(SHARD, block["features"] - shard * SHARD)
                records = held(atlas, f"features/{name}/{key}_{shard}")
                assert [each["feature"] for each in records] == [*range(shard * SHARD, shard * SHARD + count)]
                sheet = Image.open(atlas / f"maps/{name}/{key}_{shard}.webp")
                assert sheet.size == (4 * K, 4 * count)
                assert (
                    (atlas / f"views/{name}/{key}_{shard}.webp").exists()
                    == block["viewed"]
                    == (block["site"] != "query")
                )
                every += records
            shown |= {image for each in every for image in each["top"][0]}
            for variant, count in block["drawn"].items():
                assert Image.open(atlas / f"pictures/{name}/{key}_{variant}_0.webp").size[0] == 64 * ACROSS
                drawn = [picture["variant"] for each in every for picture in each.get("pictures", [])]
                assert drawn.count(variant) == count
    told = held(atlas, "images/0")
    assert {str(image) for image in shown} <= set(told)
    assert all((atlas / f"images/{image}.webp").exists() for image in shown)
    assert {path.name for path in STATIC.iterdir()} <= {path.name for path in atlas.iterdir()}


def test_an_atlas_reads_all_that_it_is_made_of(run):
    _, graph = run
    made = {path for path in graph.out.rglob("*.*") if path.is_file() and "atlas" not in path.parts}
    beside = {
        path
        for path in made
        if path.name == "claims.csv"
        or path.parent.name == "claims"
        or path.parent == graph.image_index("collect").parent
    }
    assert made - beside <= set(inputs(graph)) <= made and len(made - beside) > 5


def test_a_scale_without_responses_has_no_atlas():
    experiments = {name: options for name, options in SCALE["experiments"].items() if name != "responses"}
    graph = Graph(parse({**SCALE, "experiments": experiments}))
    assert inputs(graph) == []
    with pytest.raises(InputError, match="no model takes part in collect and responses"):
        write_atlas(graph)


def like_a_photograph(draw, side):
    """uint8 [side, side, 3] with the spectrum of natural images, 1/f."""
    noise = np.fft.fft2(draw.normal(size=(side, side, 3)), axes=(0, 1))
    away = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])[..., None]
    picture = np.fft.ifft2(noise / np.maximum(away, 1 / side), axes=(0, 1)).real
    return (255 * (picture - picture.min()) / np.ptp(picture)).astype(np.uint8)


def test_ten_thousand_features_of_a_large_model_are_under_500_megabytes(tmp_path, atlas):
    """As of photographs: a visualization each, maps of 24 rows, and as many images as features."""
    draw, features = np.random.default_rng(0), 8
    pictures = [like_a_photograph(draw, 224) for _ in range(features)]
    write_sheet(tmp_path / "pictures.webp", pictures, ACROSS)
    maps = np.clip(like_a_photograph(draw, 24 * 22)[..., 0].astype(int) - 60, 0, 255).astype(np.uint8)
    write_maps(tmp_path / "maps.webp", maps[: 24 * features].reshape(features, 24, 22, 24).swapaxes(1, 2))
    for number, picture in enumerate(pictures):
        write_thumbnail(tmp_path / f"{number}.webp", Image.fromarray(picture))
        assert Image.open(tmp_path / f"{number}.webp").size == (LARGEST, LARGEST)
    told = (atlas / "features/vit/ffn_1_0.js").stat().st_size / SHARD
    drawn = sum(path.stat().st_size for path in tmp_path.iterdir()) / features
    assert 1e4 * (told + drawn) < 500e6
