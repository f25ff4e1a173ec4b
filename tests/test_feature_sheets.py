"""Sheets of features: maps lie where the model looked, dead features are marked, and all text can be read."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from vitexplore.data.images import ImageSet
from vitexplore.data.loading import preprocess
from vitexplore.figures import feature_rows, gallery, overlays, plots, visualizations
from vitexplore.figures.feature_rows import Exemplars
from vitexplore.models.spec import ModelSpec
from vitexplore.png import encode
from vitexplore.provenance import of_model

GREY = np.full((overlays.SIDE, overlays.SIDE, 3), 100, np.uint8)


@pytest.mark.parametrize("size", [(300, 200), (200, 320), (240, 240)])
@pytest.mark.parametrize("crop", [1.0, 0.8])
def test_what_is_seen_is_what_the_models_preprocessing_keeps(size, crop):
    """On an image whose colours say the place, up to a pixel of either."""
    y, x = np.mgrid[: size[1], : size[0]]
    image = Image.fromarray(np.stack([x * 255 / size[0], y * 255 / size[1], 0 * x], -1).astype(np.uint8))
    spec = ModelSpec(
        "m",
        "timm",
        "a",
        "vit",
        input_size=overlays.SIDE,
        crop=crop,
        mean=(0, 0, 0),
        std=(1, 1, 1),
        interpolation="bicubic",
    )
    kept = preprocess(spec)(image).permute(1, 2, 0).numpy() * 255
    assert np.abs(kept - overlays.seen(image, crop)).max() < 255 / overlays.SIDE + 2


def test_tables_say_what_share_of_an_image_the_model_saw(lab_vit):
    """``paper`` brings the shorter side to the input size: its crop takes all of it."""
    model = replace(lab_vit, spec=replace(lab_vit.spec, crop=0.8))
    assert [of_model(model, "", preprocessing)["crop"] for preprocessing in ("own", "paper")] == [0.8, 1.0]


def test_a_map_colours_the_places_where_the_feature_fires_and_no_others():
    heat = np.array([[-3.0, 0.0], [1.0, 2.0]])
    (picture,) = overlays.under_maps([GREY], heat[None])
    half = overlays.SIDE // 2
    assert np.array_equal(picture[:half], GREY[:half])
    strengths = [(picture[-1, x] - 100.0) / (overlays.COLOUR - 100.0) for x in (0, -1)]
    assert np.allclose(strengths, [[overlays.STRENGTH / 2] * 3, [overlays.STRENGTH] * 3], atol=0.01)


def test_images_at_which_a_feature_is_silent_stay_bare():
    """Behind a GELU all of a silent unit's map lies a little below 0: nothing to stretch."""
    maps = -np.random.default_rng(0).random((2, 3, 3)) * 0.17
    assert all(np.array_equal(picture, GREY) for picture in overlays.under_maps([GREY, GREY], maps))


def test_a_dead_picture_is_faded_and_crossed():
    crossed = overlays.crossed_out(GREY)
    middle, edge = overlays.SIDE // 2, overlays.SIDE // 4
    assert crossed[middle, middle].tolist() == [190, 0, 0]
    assert crossed[middle, edge].tolist() == [193, 193, 193]


def exemplars(count: int = 5) -> Exemplars:
    return Exemplars([GREY] * count, np.ones((count, 3, 3)), 2.0)


def drawn_rows(figure) -> dict[float, int]:
    """How many pictures stand at each height."""
    tops = [image.get_extent()[3] for image in figure.axes[0].images]
    return {top: tops.count(top) for top in tops}


def captions(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def png(level: float) -> bytes:
    return encode(torch.full((3, 8, 8), level))


def visualized(recipes: tuple[str, ...], sites: dict[str, int]) -> pd.DataFrame:
    """Of some features of each site, the second of them dead."""
    index = [(site, recipe, 40 + f) for site, count in sites.items() for recipe in recipes for f in range(count)]
    table = pd.DataFrame(index, columns=["site", "variant", "feature"])
    constant = {"model": "vit", "block": 3, "depth": "middle", "natural": 2.0, "identification": 0.876}
    dead = table["feature"] == 41
    return table.assign(**constant, dead=dead, score=np.where(dead, 0.1, 3.0), picture=[png(0.5)] * len(table))


def test_a_sheet_has_sixteen_features_two_beside_each_other_each_with_its_images():
    chosen = visualizations.first_of_each_site(visualized(("paper", "fast"), {"query": 10, "ffn": 9}))
    assert len(chosen) == 32 and chosen.groupby(["site", "variant"]).size().tolist() == [8] * 4
    top = {("ffn", 3, 40 + f): exemplars() for f in range(8)}
    figure = visualizations.draw(chosen, top)
    assert list(drawn_rows(figure).values()) == [12, 4] + [12] * 4  # six recipes' pairs, and pairs with images
    assert captions(figure)[:4] == [
        "40, paper\n1.5×, id 0.88",
        "40, fast\n1.5×, id 0.88",
        "41, paper\ndead",
        "41, fast\ndead",
    ]


def written(folder, scores: list[float]) -> pd.DataFrame:
    """As ``visualize_to_folder`` leaves it."""
    files = [f"ffn_5_{f}.png" for f in range(len(scores))]
    for file in files:
        (folder / file).write_bytes(png(0.5))
    table = pd.DataFrame({"site": "ffn_5", "feature": range(len(scores)), "file": files, "score": scores})
    return table.assign(dead=table["score"] <= 0)


def test_a_folders_sheet_has_activations_and_with_images_their_share_of_the_best(tmp_path):
    table = written(tmp_path, [3.0, -0.01, 1.0])
    assert captions(gallery.sheet(table, tmp_path, "some")) == ["0: 3.00", "1: dead", "2: 1.00"]
    top = {("ffn_5", 0): exemplars(), ("ffn_5", 2): Exemplars([GREY], -np.ones((1, 3, 3)), -0.1)}
    figure = gallery.sheet(table, tmp_path, "some", top)
    assert captions(figure) == ["0: 1.5×", "1: dead", "2: 1.00"]
    assert sum(drawn_rows(figure).values()) == 3 + feature_rows.IMAGES + 1


def test_exemplars_of_a_collection_keep_its_order(scenes: ImageSet):
    winners, scores = np.array([[3, 1], [0, 2]]), np.array([[5.0, 4.0], [2.0, 1.0]])
    maps = np.arange(16.0).reshape(2, 2, 2, 2)
    first, second = (Exemplars.of(scenes, *each, crop=1.0) for each in zip(winners, scores, maps, strict=True))
    assert (first.best, second.best) == (5.0, 2.0)
    assert np.array_equal(second.maps, maps[1])
    assert np.array_equal(first.images[1], overlays.seen(scenes.image(1), 1.0))


def boxes(figure) -> list:
    """Where each text stands, in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    axis = figure.axes[0]
    texts = [*figure.texts, *axis.texts, *axis.get_yticklabels()]
    return [text.get_window_extent(canvas.get_renderer()) for text in texts if text.get_text()]


@pytest.mark.parametrize("with_images", [True, False])
@pytest.mark.parametrize("recipes", [("fast",), ("paper", "released")])
def test_no_text_of_a_sheet_is_cut_small_or_over_another(recipes, with_images):
    """Of four digits' features, the longest captions that there are."""
    table = visualized(recipes, {"query": 4, "attention_out": 4, "ffn": 4}).assign(score=-33.33)
    table["feature"] += 1000
    top = {("ffn", 3, 1040 + f): exemplars() for f in range(4)} if with_images else {}
    figure = visualizations.draw(table, top)
    found = boxes(figure)
    assert len(found) == 2 + 12 * len(recipes) + len(figure.axes[0].get_yticklabels())
    assert all(figure.bbox.padded(1).containsx(x) for box in found for x in (box.x0, box.x1))
    assert all(figure.bbox.padded(1).containsy(y) for box in found for y in (box.y0, box.y1))
    assert not [(a, b) for a, b in combinations(found, 2) if a.padded(-1).overlaps(b.padded(-1))]
    axis = figure.axes[0]
    assert min(text.get_fontsize() for text in [*figure.texts, *axis.texts, *axis.get_yticklabels()]) >= 8


def test_a_long_title_is_wrapped_not_cut():
    figure = plots.picture_rows([("row", [(GREY, "one")])], "a title of many words " * 6, "a note of many words " * 20)
    assert all(box.x1 < figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes(figure))
