"""`vitexplore visualize` and `models`: what is written is what was made, and errors are one line."""

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from command import call, on_one_thread
from PIL import Image
from safetensors.torch import save_file

from vitexplore.data.loading import preprocess
from vitexplore.data.scene_sets import scene_set
from vitexplore.errors import InputError
from vitexplore.figures import overlays
from vitexplore.folder_lock import held
from vitexplore.models.catalogue import named
from vitexplore.models.registry import load
from vitexplore.models.sites import Site, read
from vitexplore.provenance import of_model
from vitexplore.selection import integers
from vitexplore.tools import pictures
from vitexplore.tools.pictures import folder_for
from vitexplore.visualize import gallery
from vitexplore.visualize.objective import Channels, Logits
from vitexplore.visualize.optimize import Checkpoint, Engine
from vitexplore.visualize.optimize import visualize as optimize
from vitexplore.visualize.quality import high_frequency_share
from vitexplore.visualize.recipes import PAPER, recipe_for

BLOCKS, FEATURES = (1, 3), (0, 1, 2)
OPTIONS = {"--recipe": "paper", "--steps": 2, "--batch": 3}


def draw(
    out: Path, options: dict[str, object] | None = None, expression: str = "ffn:1,3:0:3", model: str = "lab/vit"
) -> None:
    """``options`` win over OPTIONS."""
    on_one_thread("visualize", {**OPTIONS, **(options or {}), "--out": out}, model, expression)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".png"}


@pytest.fixture(scope="module")
def recipe(lab_vit):
    return recipe_for("paper", lab_vit.spec, steps=2)


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    draw(folder)
    return folder


# visualize


def test_pngs_are_the_pictures(out, lab_vit, recipe):
    for block in BLOCKS:
        found = optimize(lab_vit, Channels(Site("ffn", block), FEATURES), recipe, 0, 3)
        for feature, image in zip(FEATURES, found.images, strict=True):
            png = np.asarray(Image.open(out / f"ffn_{block}_{feature:05d}.png"))
            assert np.array_equal(png, (image.permute(1, 2, 0).numpy() * 255).round())


def test_each_feature_has_a_row_with_its_file_its_scores_and_where_they_come_from(out, lab_vit, recipe):
    table = pd.read_parquet(out / "features.parquet")
    for block in BLOCKS:
        found = optimize(lab_vit, Channels(Site("ffn", block), FEATURES), recipe, 0, 3)
        mine = table[table["site"] == f"ffn_{block}"]
        assert mine["feature"].tolist() == list(FEATURES)
        assert mine["file"].tolist() == [f"ffn_{block}_{feature:05d}.png" for feature in FEATURES]
        assert np.allclose(mine["score"], found.score) and np.allclose(mine["loss"], found.loss[-1])
        assert np.allclose(mine["high_frequency"], high_frequency_share(found.images))
    assert set(table["batch"]) == {3}
    for column, value in of_model(lab_vit, "", "none", 0).items():
        assert set(table[column]) == {value}


def test_losses_are_those_of_each_step_and_feature(out, lab_vit, recipe):
    table = pd.read_parquet(out / "losses.parquet")
    assert len(table) == len(BLOCKS) * len(FEATURES) * recipe.steps
    for block in BLOCKS:
        loss = optimize(lab_vit, Channels(Site("ffn", block), FEATURES), recipe, 0, 3).loss
        mine = table[table["site"] == f"ffn_{block}"].set_index(["feature", "step"])["loss"]
        for place, feature in enumerate(FEATURES):
            assert mine[feature].sort_index().tolist() == loss[:, place].tolist()


def test_the_recipe_is_written_as_it_was_run_and_nothing_is_left_over(out, recipe):
    written = json.loads((out / "recipe.json").read_text())
    assert written == json.loads(json.dumps(asdict(recipe))) and written["steps"] == 2
    names = {f"ffn_{block}_{feature:05d}.png" for block in BLOCKS for feature in FEATURES}
    tables = {"features.parquet", "losses.parquet", "recipe.json", "sheet.png"}
    assert {path.name for path in out.iterdir()} == names | tables
    assert min(Image.open(out / "sheet.png").size) > 100


def test_the_same_command_gives_the_same_bytes_and_another_seed_others(out, tmp_path):
    draw(tmp_path / "again")
    assert files(tmp_path / "again") == files(out)
    draw(tmp_path / "other", {"--seed": 1}, "ffn:1:0:3")
    assert files(tmp_path / "other")["ffn_1_00000.png"] != files(out)["ffn_1_00000.png"]


def test_an_interrupted_command_goes_on_and_makes_no_block_twice(out, tmp_path, monkeypatch):
    """Stopped in the second block, after the first of its two steps."""

    @contextmanager
    def stop(_what, total, _unit):
        done = 0.0

        def tell(features: float) -> None:
            nonlocal done
            done += features
            if done > 0.7 * total:
                raise KeyboardInterrupt

        yield tell

    steps = []
    step = Engine.step
    monkeypatch.setattr(Engine, "step", lambda self, *args: (steps.append(1), step(self, *args)))
    monkeypatch.setattr(gallery, "Checkpoint", partial(Checkpoint, every=0))
    with monkeypatch.context() as only, pytest.raises(KeyboardInterrupt):
        only.setattr(gallery, "meter", stop)
        draw(tmp_path / "out")
    assert len(steps) == 2 + 1
    steps.clear()
    draw(tmp_path / "out")
    assert len(steps) == 2  # of the second block: its first step was not yet written
    assert files(tmp_path / "out") == files(out)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in out.iterdir()}


def test_what_an_interrupted_command_left_is_no_start_for_another(tmp_path, monkeypatch):
    with monkeypatch.context() as only, pytest.raises(KeyboardInterrupt):
        only.setattr(Engine, "step", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        draw(tmp_path)
    with pytest.raises(InputError, match=r"ffn_1 is of another run; delete it to start anew$"):
        draw(tmp_path, {"--steps": 3})


def test_a_folder_that_another_run_writes_to_is_refused(tmp_path):
    with held(tmp_path), pytest.raises(InputError, match="is in use by another run"):
        draw(tmp_path)


def test_the_folder_has_a_name_of_its_own_and_the_sheets_path_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    on_one_thread("visualize", {"--steps": 1}, "lab/vit", "ffn:1:0,2@9")
    sheet = Path(capsys.readouterr().out.removesuffix("\n"))
    assert sheet == Path("pictures/lab_vit_ffn_1_0,2@9/sheet.png") and sheet.exists()


def test_different_expressions_have_different_folders_with_names_that_every_system_takes():
    expressions = ["ffn:1:0,2", "ffn:1:0:2", "ffn:1:0@2", "ffn:1:0 + ffn:1:2", "ffn:1:0 - ffn:1:2", "2*ffn:1:0"]
    names = [folder_for("lab/vit", expression).name for expression in expressions]
    assert len(set(names)) == len(names)
    assert not set("".join(names)) & set(r'\/:*?"<>| ')


def test_the_images_that_activate_a_channel_most_stand_beside_it(tmp_path, monkeypatch, lab_vit):
    scenes, seen = [scene_set("test", 6).image(i) for i in range(6)], []
    (tmp_path / "photos").mkdir()
    for number, scene in enumerate(scenes):
        scene.save(tmp_path / f"photos/{number}.png")
    sheet = pictures.gallery.sheet
    monkeypatch.setattr(pictures.gallery, "sheet", lambda *given: (seen.append(given[3]), sheet(*given))[1])
    draw(tmp_path / "out", {"--images": tmp_path / "photos"}, "ffn:3:0,2")
    transform = preprocess(lab_vit.spec)
    with torch.no_grad():
        acts = [read(lab_vit, Site("ffn", 3), transform(scene)[None]).bpc.mean(1)[0] for scene in scenes]
    assert set(seen[0]) == {("ffn_3", 0), ("ffn_3", 2)}
    for (_, feature), found in seen[0].items():
        scores = torch.stack(acts)[:, feature]
        assert found.best == pytest.approx(scores.max().item(), abs=1e-5)
        assert np.array_equal(found.images[0], overlays.seen(scenes[scores.argmax()], lab_vit.spec.crop))


def test_images_beside_what_is_no_channel_are_refused(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "grey.png")
    with pytest.raises(InputError, match=r"^logit: images are shown beside channels alone; leave them out$"):
        draw(tmp_path / "out", {"--images": tmp_path}, "logit:2")
    assert not (tmp_path / "out").exists()


def test_a_cnn_makes_pictures_beyond_its_own_size(tmp_path):
    draw(tmp_path, {"--size": 96}, "channel:2:0", "lab/cnn")
    assert Image.open(tmp_path / "channel_2_00000.png").size == (96, 96)


def test_a_vit_is_built_at_the_size_of_the_pictures(tmp_path):
    model = load(named("timm/vit_tiny_patch16_224", weights="random"))
    save_file(model.module.state_dict(), tmp_path / "mine.safetensors")
    options = {"--size": 64, "--checkpoint": tmp_path / "mine.safetensors"}
    draw(tmp_path / "out", options, "ffn:0:0", "timm/vit_tiny_patch16_224")
    assert Image.open(tmp_path / "out/ffn_0_00000.png").size == (64, 64)


def test_class_logits_can_be_visualized(tmp_path, lab_vit, recipe):
    draw(tmp_path, expression="logit:15,2")
    found = optimize(lab_vit, Logits((15, 2)), recipe, 0, 3)
    assert pd.read_parquet(tmp_path / "features.parquet")["feature"].tolist() == [15, 2]
    for label, image in zip((15, 2), found.images, strict=True):
        png = np.asarray(Image.open(tmp_path / f"logit_{label:05d}.png"))
        assert np.array_equal(png, (image.permute(1, 2, 0).numpy() * 255).round())


def test_the_first_directions_of_a_unit_matrix_are_the_first_channels(out, tmp_path):
    np.save(tmp_path / "unit.npy", np.eye(256))
    draw(tmp_path / "out", {"--directions": tmp_path / "unit.npy"}, "ffn:3:0:3")
    for feature in FEATURES:
        name = f"ffn_3_{feature:05d}.png"
        one, other = (np.asarray(Image.open(folder / name)).astype(int) for folder in (out, tmp_path / "out"))
        assert np.abs(one - other).max() <= 1


def test_own_weights_are_visualized_and_named_by_their_hash(out, tmp_path):
    model = load(named("lab/vit", weights="random", seed=3))
    save_file(model.module.state_dict(), tmp_path / "mine.safetensors")
    draw(tmp_path / "out", {"--checkpoint": tmp_path / "mine.safetensors"}, "ffn:1:0:3")
    table = pd.read_parquet(tmp_path / "out/features.parquet")
    assert set(table["weights"]) != set(pd.read_parquet(out / "features.parquet")["weights"])
    found = optimize(model, Channels(Site("ffn", 1), FEATURES), recipe_for("paper", model.spec, steps=2), 0, 3)
    assert np.allclose(table["score"], found.score, atol=1e-5)


def test_a_position_of_the_grid_can_be_asked_for(tmp_path, lab_vit, recipe):
    draw(tmp_path, {"--copies": 3}, "ffn:1:5@9")
    found = optimize(
        lab_vit, Channels(Site("ffn", 1), (5,), position=9), recipe_for("paper", lab_vit.spec, steps=2, copies=3), 0
    )
    assert np.allclose(pd.read_parquet(tmp_path / "features.parquet")["score"], found.score)


NARROW, LINE = {"--directions": "narrow.npy"}, {"--directions": "line.npy"}
WRONG = {
    "model": ("lab/vti", "ffn:1:0", {}, r"^no model 'lab/vti'; nearest names: .*lab/vit.*see `vitexplore models`$"),
    "source": ("vit", "ffn:1:0", {}, r"^no model 'vit'; nearest names: .*lab/vit"),
    "site": (
        "lab/vit",
        "fnn:1:0",
        {},
        r"^lab/vit has no site 'fnn'; it has ffn, query, key, value, ",
    ),
    "block": ("lab/vit", "ffn:8:0", {}, r"^blocks of 'ffn:8:0': '8': there are 0 to 7$"),
    "features": ("lab/vit", "ffn:1:3,256", {}, r"^channels of 'ffn:1:3,256': '3,256': there are 0 to 255$"),
    "words": ("lab/vit", "ffn:1:many", {}, r"^objective 'ffn:1:many' is not understood; write ffn:6:0:16, "),
    "steps": ("lab/vit", "ffn:1:0", {"--steps": "0"}, r"^--steps, --copies and --batch must be at least 1$"),
    "copies": ("lab/vit", "ffn:1:0", {"--copies": "-1"}, r"^--steps, --copies and --batch must be at least 1$"),
    "batch": ("lab/vit", "ffn:1:0", {"--batch": "0"}, r"^--steps, --copies and --batch must be at least 1$"),
    "checkpoint": ("lab/vit", "ffn:1:0", {"--checkpoint": "none.pt"}, r"^model lab/vit: no checkpoint at none\.pt$"),
    "size": (
        "lab/vit",
        "ffn:1:0",
        {"--size": 96},
        r"^model lab/vit: it takes images of 64 pixels, not 96; leave the size out$",
    ),
    "position": ("lab/vit", "ffn:1:0@64", {}, r"^there are positions 0 to 63, not 64$"),
    "logit": ("lab/vit", "logit:3@3", {}, r"^objective 'logit:3@3': class logits have neither positions nor direction"),
    "class": ("lab/vit", "logit:16", {}, r"^classes of 'logit:16': '16': there are 0 to 15$"),
    "clip": ("lab/clip", "logit:0", {}, r"^lab/clip has no class logits; visualize a site$"),
    "width": ("lab/vit", "ffn:1:0", NARROW, r"ffn 1 has 256 channels, the directions have 64$"),
    "line": ("lab/vit", "ffn:1:0", LINE, r"^line\.npy has shape \[256\], not \[n, channels\]$"),
    "some": ("lab/vit", "ffn:1:2", NARROW, r"^channels of 'ffn:1:2': '2': there are 0 to 1$"),
}


@pytest.mark.parametrize("model, expression, options, message", WRONG.values(), ids=WRONG)
def test_wrong_input_is_refused_in_one_line_before_anything_is_written(
    tmp_path, monkeypatch, model, expression, options, message
):
    monkeypatch.chdir(tmp_path)
    np.save("narrow.npy", np.ones((2, 64)))
    np.save("line.npy", np.ones(256))
    with pytest.raises(InputError, match=message) as caught:
        draw(tmp_path / "out", options, expression, model)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_directions_that_are_not_there_are_told_as_a_file_is(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npy"):
        draw(tmp_path / "out", {"--directions": tmp_path / "none.npy"})


def test_the_command_itself_exits_with_2_and_one_line(tmp_path):
    words = ["visualize", "lab/vti", "ffn:1:0", "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-m", "vitexplore", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: visualize: no model 'lab/vti'; nearest names: ")
    assert done.stderr.count("\n") == 1 and not done.stdout


# options


@pytest.mark.parametrize(
    "text, found",
    {
        "5": (5,),
        "0": (0,),
        "0:4": (0, 1, 2, 3),
        "5:": (5, 6, 7),
        ":3": (0, 1, 2),
        ":": tuple(range(8)),
        "6:99": (6, 7),  # up to what there is, as Python slices
        "3,1,2": (3, 1, 2),  # in the order that was asked for
        "0:3,2,7,1:4": (0, 1, 2, 7, 3),  # each once
    }.items(),
)
def test_integers_are_numbers_ranges_and_lists_of_both(text, found):
    assert integers(text, 8, "--block") == found


@pytest.mark.parametrize("text", ["8", "-1", "0,8", "8:", "5:5", "6:2", ":0", "-3:", "-3:2"])
def test_integers_that_are_not_there_are_refused(text):
    with pytest.raises(InputError, match=f"^--block '{text}': there are 0 to 7$"):
        integers(text, 8, "--block")


@pytest.mark.parametrize("text", ["", "a", "1:b", "1,", "1.5", "0:8:2", "1-3"])
def test_what_is_no_integer_is_refused_with_what_to_write(text):
    with pytest.raises(InputError, match=f"^--block '{text}': write 5, or 0:12, or 0,5,11$"):
        integers(text, 8, "--block")


# models

LAB = ["vit", "clip", "cnn", "deit", "coat", "convit", "pit", "swin", "twins"]


def test_models_lists_the_nine_of_the_lab_with_their_family_and_size(capsys):
    call("models", {"--like": "lab/"})
    shown = capsys.readouterr().out
    rows = [line.strip("│").split("│") for line in shown.splitlines() if "lab/" in line]
    rows = [[cell.strip() for cell in row] for row in rows]
    assert [row[0] for row in rows] == [f"lab/{name}" for name in LAB]
    assert [row[1] for row in rows] == ["vit", "clip", "cnn"] + ["vit"] * 6
    assert {row[2] for row in rows} == {"64"}


def test_every_model_of_the_lab_that_is_listed_can_be_visualized_by_that_name(tmp_path):
    """Those whose weights are shipped: the others say that they are not."""
    for name in ("lab/clip", "lab/cnn"):
        site = "channel" if name == "lab/cnn" else "ffn"
        draw(tmp_path / name, {"--steps": 1}, f"{site}:0:0", name)
        assert (tmp_path / name / f"{site}_0_00000.png").exists()
    assert json.loads((tmp_path / "lab/clip/recipe.json").read_text())["learning_rate"] == 1.0
    assert json.loads((tmp_path / "lab/cnn/recipe.json").read_text())["learning_rate"] == PAPER.learning_rate
