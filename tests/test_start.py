"""What all pictures begin with, transparency, and which features are dead: in a shell, in a notebook and in folders."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from command import on_one_thread
from PIL import Image

from vitexplore import show
from vitexplore.data.loading import preprocess
from vitexplore.errors import InputError
from vitexplore.models.catalogue import load_named
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site
from vitexplore.models.spec import ModelSpec
from vitexplore.visualize.accentuate import Near, halfway, start_from
from vitexplore.visualize.expression import objectives
from vitexplore.visualize.gallery import rows_of
from vitexplore.visualize.objective import Channels, Directions, Objective, channel, ffn, logit
from vitexplore.visualize.optimize import Visualization, normaliser, visualize
from vitexplore.visualize.recipes import recipe_for

OPTIONS = {"--recipe": "paper", "--steps": 2, "--batch": 2}


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """Of another size than the models', and not square."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    rows, columns = np.mgrid[:100, :150]
    pixels = np.stack([rows * 2, columns, (rows // 25 + columns // 25) % 2 * 200], axis=2)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def cnn() -> Model:
    return load_named("lab/cnn", "cpu")


def draw(out, photo, expression: str, *switches: str, **options: object) -> None:
    on_one_thread("visualize", {**OPTIONS, "--start": photo, "--out": out, **options}, "lab/vit", expression, *switches)


# the image as the model has it


@pytest.mark.parametrize("spec", [{}, {"crop": 0.8, "interpolation": "bicubic", "mean": (0.4, 0.5, 0.6)}])
def test_an_image_to_start_from_is_what_the_model_is_shown_before_its_normalisation(photo, lab_vit, spec):
    model = replace(lab_vit, spec=ModelSpec(**{**lab_vit.spec.__dict__, **spec}))
    with Image.open(photo) as image:
        seen = preprocess(model.spec)(image)
        starts = [start_from(model, each, 0.0).image for each in (photo, str(photo), image, image.convert("RGBA"))]
    assert all(torch.equal(start, starts[0]) for start in starts)
    assert torch.allclose(normaliser(model)(starts[0]), seen, atol=1e-6)


@pytest.mark.parametrize(
    "objective, block",
    [
        (ffn(7, 0), 3),
        (ffn(0, 0), 0),
        (Channels(Site("query", 6), (1, 2), position=3), 3),
        (logit(0), 4),
        (ffn(7, 0) + ffn(4, 1) - logit(2), 2),
    ],
)
def test_halfway_of_a_vits_eight_blocks(lab_vit, objective: Objective, block: int):
    assert halfway(lab_vit, objective) == Site("block", block)


def test_halfway_of_a_cnn_is_among_its_channels(cnn):
    assert halfway(cnn, channel(3, 0)) == Site("channel", 1)


@pytest.mark.parametrize(
    "near, image, message",
    [
        (1.0, None, "near: there is nothing to stay near; name an image to start from"),
        (-1.0, "photo", "near is -1; choose 0 or more"),
        (0.0, "none.png", r"none\.png: no image can be read there; name an image file to start from"),
        (0.0, "cut.png", r".*cut\.png: no image can be read there; name an image file to start from"),
        (0.0, "text.png", r".*text\.png: no image can be read there; name an image file to start from"),
    ],
)
def test_what_is_no_start_is_refused_in_one_line(tmp_path, photo, lab_vit, near, image, message):
    (tmp_path / "cut.png").write_bytes(photo.read_bytes()[:200])
    (tmp_path / "text.png").write_text("no image")
    path = photo if image == "photo" else tmp_path / image if image in ("cut.png", "text.png") else image
    with pytest.raises(InputError, match=f"^{message}$"):
        start_from(lab_vit, path, near)


# in a shell


def test_the_command_begins_with_the_image_for_each_feature_of_each_block(tmp_path, photo, lab_vit):
    draw(tmp_path, photo, "ffn:1,4:0,2", **{"--near": 2.0})
    recipe, table = recipe_for("paper", lab_vit.spec, steps=2), pd.read_parquet(tmp_path / "features.parquet")
    images = start_from(lab_vit, photo, 0.0).image.repeat(2, 1, 1, 1)
    for block, earlier in ((1, 0), (4, 2)):
        near = Near(Site("block", earlier), 2.0)
        found = visualize(lab_vit, ffn(block, 0, 2), recipe, batch=2, start=images, near=near)
        assert np.allclose(table.loc[table["site"] == f"ffn_{block}", "score"], found.score)
        for feature, image in zip((0, 2), found.images, strict=True):
            png = np.asarray(Image.open(tmp_path / f"ffn_{block}_{feature:05d}.png"))
            assert np.array_equal(png, (image.permute(1, 2, 0).numpy() * 255).round())


def test_a_sum_begins_with_the_image_and_stays_nearer_to_it_with_a_weight(tmp_path, photo, lab_vit):
    start, far = (start_from(lab_vit, photo, 0.0).image.permute(1, 2, 0).numpy() * 255), []
    for weight in (0, 1000):
        options = {"--near": weight, "--recipe": "fast", "--steps": 20}
        draw(tmp_path / str(weight), photo, "ffn:4:0 - 0.5*ffn:4:2", **options)
        (png,) = set((tmp_path / str(weight)).glob("*.png")) - {tmp_path / str(weight) / "sheet.png"}
        far.append(np.abs(np.asarray(Image.open(png)) - start).mean())
    assert far[1] < 0.5 * far[0]


def test_transparent_pngs_are_the_pictures_with_their_mask(tmp_path, photo, lab_vit):
    draw(tmp_path, photo, "ffn:4:0", "--transparent")
    recipe = recipe_for("paper", lab_vit.spec, steps=2)
    image = start_from(lab_vit, photo, 0.0).image[None]
    found = visualize(lab_vit, ffn(4, 0), recipe, start=image, transparency=True)
    with Image.open(tmp_path / "ffn_4_00000.png") as png:
        assert png.mode == "RGBA"
        assert np.array_equal(np.asarray(png), (found.rgba[0].permute(1, 2, 0).numpy() * 255).round())


def test_the_command_refuses_a_weight_without_an_image_before_anything_is_written(tmp_path):
    options = {**OPTIONS, "--near": 1.0, "--out": tmp_path / "out"}
    with pytest.raises(InputError, match=r"^near: there is nothing to stay near; name an image to start from$"):
        on_one_thread("visualize", options, "lab/vit", "ffn:4:0")
    assert not (tmp_path / "out").exists()


# in a notebook


def test_a_notebooks_images_begin_with_an_image_and_have_their_mask(tmp_path, photo, lab_vit):
    expression, recipe = "ffn:3,4:0,2", recipe_for("paper", lab_vit.spec, steps=2)
    shown = show(lab_vit, expression, recipe="paper", steps=2, start=photo, near=1.0, transparent=True)
    start = start_from(lab_vit, photo, 1.0)
    found = [
        visualize(lab_vit, each, recipe, **start.of(lab_vit, each), transparency=True)
        for each in objectives(lab_vit, expression).values()
    ]
    assert torch.equal(shown.images, torch.cat([each.rgba for each in found]))
    shown.save(tmp_path)
    assert [Image.open(tmp_path / file).mode for file in shown.table["file"]] == ["RGBA"] * 4


# dead


@pytest.mark.parametrize(
    "objective, dead",
    [
        (Channels(Site("ffn", 3), (0, 1)), [True, False]),
        (Channels(Site("query", 3), (0, 1)), [False, False]),  # has no zero that means silence
        (Directions(Site("ffn", 3), (0, 1), torch.eye(2)), [False, False]),
        (-ffn(3, 0, 1), [False, False]),
        (logit(0, 1), [False, False]),
    ],
)
def test_dead_are_units_behind_a_nonlinearity_that_do_not_fire(objective: Objective, dead: list[bool]):
    score = torch.tensor([-0.01, 0.5])
    found = Visualization(torch.rand(2, 3, 8, 8), torch.zeros(1, 2), score, batch=2)
    assert rows_of("ffn_3", objective, found)["dead"].tolist() == dead
