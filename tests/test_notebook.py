"""`show`: what a notebook draws is what was optimized."""

import base64
import builtins
import io
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from vitexplore import progress, show
from vitexplore.errors import InputError
from vitexplore.models.catalogue import load_named
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site
from vitexplore.notebook import Shown
from vitexplore.progress import meter
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import Visualization, visualize
from vitexplore.visualize.recipes import recipe_for

BLOCKS, FEATURES = (1, 3), (0, 2)


@pytest.fixture(scope="module")
def shown(lab_vit) -> Shown:
    return show(lab_vit, "ffn:1,3:0,2", recipe="paper", steps=2, seed=5)


@pytest.fixture(scope="module")
def found(lab_vit) -> list[Visualization]:
    recipe = recipe_for("paper", lab_vit.spec, steps=2)
    return [visualize(lab_vit, Channels(Site("ffn", block), FEATURES), recipe, 5) for block in BLOCKS]


def pixels(image: torch.Tensor) -> np.ndarray:
    return (image.permute(1, 2, 0).numpy() * 255).round()


def test_images_and_table_are_those_of_the_features_in_turn(shown, found):
    assert torch.equal(shown.images, torch.cat([each.images for each in found]))
    assert shown.table[["site", "feature"]].to_numpy().tolist() == [[f"ffn_{b}", f] for b in BLOCKS for f in FEATURES]
    assert np.allclose(shown.table["score"], torch.cat([each.score for each in found]))
    assert np.allclose(shown.table["loss"], torch.cat([each.loss[-1] for each in found]))


def test_a_notebook_draws_each_image_over_its_caption(shown):
    html = shown._repr_html_()
    pngs = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    for png, image in zip(pngs, shown.images, strict=True):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(png)))), pixels(image))
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", html)
    dead = [", dead" if score <= 0 else "" for score in shown.table["score"]]
    rows = zip(shown.table.itertuples(), dead, strict=True)
    assert captions == [f"{row.site}, {row.feature}: score {row.score:.3g}{word}" for row, word in rows]
    assert "<p>lab/vit, ffn:1,3:0,2, recipe paper</p>" in html


def test_a_feature_that_does_not_fire_at_its_picture_is_called_dead(shown):
    silent = replace(shown, table=shown.table.assign(score=[1.0, -0.01, 2.0, 3.0], dead=[False, True, False, False]))
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", silent._repr_html_())
    assert [caption.partition(": ")[2] for caption in captions] == [
        "score 1",
        "score -0.01, dead",
        "score 2",
        "score 3",
    ]


def test_save_writes_what_is_drawn(shown, tmp_path):
    shown.save(tmp_path / "out")
    table = pd.read_parquet(tmp_path / "out/features.parquet")
    assert table["score"].tolist() == shown.table["score"].tolist()
    assert set(table["model"]) == {"lab/vit"} and set(table["seed"]) == {5}
    for file, image in zip(table["file"], shown.images, strict=True):
        assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / file)), pixels(image))
    assert min(Image.open(tmp_path / "out/sheet.png").size) > 100


@pytest.mark.parametrize("model", ["lab/cnn", load_named("lab/cnn", "cpu")], ids=["named", "built"])
def test_a_cnns_images_are_of_any_size(model):
    assert show(model, "channel:2:0", steps=1, size=96).images.shape == (1, 3, 96, 96)


def test_a_built_vit_keeps_its_size(lab_vit):
    with pytest.raises(InputError, match=r"^lab/vit takes images of 64 pixels, not 96; load it with input_size=96$"):
        show(lab_vit, "ffn:1:0", size=96)


def test_a_model_may_be_named_or_built(lab_vit: Model):
    named, built = (show(model, "ffn:1:0", steps=1).images.cpu() for model in ("lab/vit", lab_vit))
    assert torch.allclose(named, built, atol=1e-5)


@pytest.mark.parametrize(
    "model, expression, options, message",
    [
        ("lab/vti", "ffn:1:0", {}, r"^no model 'lab/vti'; nearest names: .*lab/vit"),
        ("lab/vit", "ffn:1", {}, r"^objective 'ffn:1' names no channels; write ffn:6:0:16"),
        ("lab/vit", "ffn:1:0", {"recipe": "best"}, r"^no recipe 'best'; there are paper, released"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(model, expression, options, message):
    with pytest.raises(InputError, match=message) as told:
        show(model, expression, **options)
    assert "\n" not in str(told.value)


def test_import_is_light_and_gives_the_same_function_twice():
    code = "import sys, vitexplore; assert 'torch' not in sys.modules; from vitexplore import show as one"
    code += "; from vitexplore import show as two; assert one is two and callable(one)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_progress_in_a_notebook_is_one_line_that_changes(monkeypatch, capsys):
    monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)
    monkeypatch.setattr(progress, "NOTEBOOK_EVERY", 0)
    with meter("lab/vit", 4, "features") as tell:
        tell(1)
        tell(2)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.endswith("\n")
    assert [line[:12] for line in said.split("\r")] == ["", "lab/vit: 25%", "lab/vit: 75%", "lab/vit: 4 f"]
