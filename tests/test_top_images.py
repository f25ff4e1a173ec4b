"""`vitexplore top-images`: the images that a sort finds, and errors are one line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from command import on_one_thread
from PIL import Image

from vitexplore.data.loading import preprocess
from vitexplore.data.scene_sets import scene_set
from vitexplore.errors import InputError
from vitexplore.models.sites import Site, read

TWO = ("lab/vit", "ffn:5:7,200")


@pytest.fixture(scope="module")
def scores_nc(lab_vit) -> tuple[list[Image.Image], torch.Tensor]:
    """Twelve scenes, and every feature's mean activation on each, one at a time."""
    scenes = scene_set("test", 12)
    images, transform = [scenes.image(i) for i in range(12)], preprocess(lab_vit.spec)
    with torch.no_grad():
        acts = [read(lab_vit, Site("ffn", 5), transform(image)[None]).bpc.mean(1)[0] for image in images]
    return images, torch.stack(acts)


def assert_best(found: pd.DataFrame, names: list[str], scores_nc: torch.Tensor, k: int) -> None:
    assert found[["feature", "rank"]].to_numpy().tolist() == [[f, place] for f in (7, 200) for place in range(k)]
    for feature, mine in found.groupby("feature"):
        order = scores_nc[:, feature].argsort(descending=True)[:k].tolist()
        assert mine["image"].tolist() == [names[i] for i in order]
        assert np.allclose(mine["score"], scores_nc[order, feature], atol=1e-5)


def test_top_images_of_scenes_are_those_that_a_sort_finds(tmp_path, scores_nc):
    options = {"--scenes": 12, "--k": 4, "--batch": 5}
    on_one_thread("top-images", {**options, "--out": tmp_path}, *TWO)
    found = pd.read_parquet(tmp_path / "top.parquet")
    assert_best(found, [f"test-{i}" for i in range(12)], scores_nc[1], 4)
    assert set(found["model"]) == {"lab/vit"}
    assert min(Image.open(tmp_path / "top.png").size) > 100


def test_top_images_of_a_folder_are_those_that_a_sort_finds_broken_files_left_out(tmp_path, scores_nc):
    """More images are asked for than there are."""
    names = [f"{'ab'[i % 2]}/{i:02d}.png" for i in range(12)]
    for name, image in zip(names, scores_nc[0], strict=True):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "photos" / name)
    (tmp_path / "photos/a/broken.png").write_bytes(b"no picture")
    options = {"--images": tmp_path / "photos", "--k": 20}
    on_one_thread("top-images", {**options, "--out": tmp_path / "out"}, *TWO)
    assert_best(pd.read_parquet(tmp_path / "out/top.parquet"), names, scores_nc[1], 12)


def test_the_folder_has_a_name_of_its_own_and_the_sheets_path_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    on_one_thread("top-images", {"--scenes": 3, "--k": 1}, *TWO)
    sheet = Path(capsys.readouterr().out.removesuffix("\n"))
    assert sheet == Path("top_images/lab_vit_ffn_5_7,200/top.png") and sheet.exists()


@pytest.mark.parametrize(
    "expression, options, message",
    [
        ("ffn:8:0", {}, r"^blocks of 'ffn:8:0': '8': there are 0 to 7$"),
        ("fnn:5:0", {}, r"^lab/vit has no site 'fnn'; it has ffn"),
        ("ffn:5:256", {}, r"^channels of 'ffn:5:256': '256': there are 0 to 255$"),
        ("logit:3", {}, r"^'logit:3': top images are of channels of one block; write ffn:5:0:8 or channel:13:3,17$"),
        ("ffn:4,5:0", {}, r"^'ffn:4,5:0': top images are of channels of one block; write"),
        ("ffn:5:0@3", {}, r"^'ffn:5:0@3': top images are of channels of one block; write"),
        ("ffn:5:0", {"--k": 0}, r"^--k and --scenes must be at least 1$"),
        ("ffn:5:0", {"--scenes": 0}, r"^--k and --scenes must be at least 1$"),
        ("ffn:5:0", {"--images": "photos"}, r"^name either --images DIR or --scenes NUMBER$"),
    ],
)
def test_wrong_input_of_top_images_is_refused_in_one_line(tmp_path, expression, options, message):
    with pytest.raises(InputError, match=message) as caught:
        on_one_thread("top-images", {"--scenes": 3, **options, "--out": tmp_path / "out"}, "lab/vit", expression)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_top_images_want_images_to_look_at(tmp_path):
    with pytest.raises(InputError, match=r"^name either"):
        on_one_thread("top-images", {"--out": tmp_path / "out"}, *TWO)


def test_top_images_of_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(InputError, match="no pictures there"):
        on_one_thread("top-images", {"--images": tmp_path, "--out": tmp_path / "out"}, *TWO)
