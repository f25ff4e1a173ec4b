"""`vitexplore visualize`, `top-images` and `models`: what is written is what was made, and errors are one line."""

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
from PIL import Image
from safetensors.torch import save_file

from vitexplore.activations.collect import collect, frame
from vitexplore.cli import commands
from vitexplore.data.loading import Loader, preprocess
from vitexplore.data.scene_sets import scene_set
from vitexplore.errors import InputError
from vitexplore.experiments.visualize import RecipeOptions, measure
from vitexplore.folder_lock import held
from vitexplore.models.catalogue import named
from vitexplore.models.registry import Model, load
from vitexplore.models.sites import Site, read
from vitexplore.png import decode
from vitexplore.provenance import of_model
from vitexplore.selection import integers
from vitexplore.visualize import gallery
from vitexplore.visualize.objective import Channels, Logits
from vitexplore.visualize.optimize import Checkpoint, Engine
from vitexplore.visualize.optimize import visualize as optimize
from vitexplore.visualize.quality import high_frequency_share
from vitexplore.visualize.recipes import PAPER, recipe_for, without
from vitexplore.visualize.study import draw_features, exemplars

BLOCKS, FEATURES = (1, 3), (0, 1, 2)
WORDS = {"--site": "ffn", "--block": "1,3", "--features": "0:3", "--recipe": "paper", "--steps": 2, "--batch": 3}
TOP = {"--model": "lab/vit", "--site": "ffn", "--block": 5}


def call(command: str, options: dict[str, object]) -> None:
    """In this process, on one thread as all tests."""
    words = [command, *(str(word) for option in options.items() for word in option)]
    run, given, _ = commands(jobs=False).parse_args(words, exit_on_error=False, print_error=False)
    run(*given.args, **given.kwargs)


def on_one_thread(command: str, options: dict[str, object]) -> None:
    call(command, {"--threads": 1, "--device": "cpu", **options})


def draw(out: Path, options: dict[str, object] | None = None) -> None:
    """``options`` win over WORDS."""
    on_one_thread("visualize", {"--model": "lab/vit", **WORDS, **(options or {}), "--out": out})


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".png"}


@pytest.fixture(scope="module")
def lab_vit() -> Model:
    return load(named("lab/vit"))


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
    draw(tmp_path / "other", {"--seed": 1, "--block": 1})
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


def test_class_logits_can_be_visualized(tmp_path, lab_vit, recipe):
    draw(tmp_path, {"--site": "logit", "--features": "15,2"})
    found = optimize(lab_vit, Logits((15, 2)), recipe, 0, 3)
    assert pd.read_parquet(tmp_path / "features.parquet")["feature"].tolist() == [15, 2]
    for label, image in zip((15, 2), found.images, strict=True):
        png = np.asarray(Image.open(tmp_path / f"logit_{label:05d}.png"))
        assert np.array_equal(png, (image.permute(1, 2, 0).numpy() * 255).round())


def test_the_first_directions_of_a_unit_matrix_are_the_first_channels(out, tmp_path):
    np.save(tmp_path / "unit.npy", np.eye(256))
    draw(tmp_path / "out", {"--block": 3, "--directions": tmp_path / "unit.npy"})
    for feature in FEATURES:
        name = f"ffn_3_{feature:05d}.png"
        one, other = (np.asarray(Image.open(folder / name)).astype(int) for folder in (out, tmp_path / "out"))
        assert np.abs(one - other).max() <= 1


def test_own_weights_are_visualized_and_named_by_their_hash(out, tmp_path):
    model = load(named("lab/vit", weights="random", seed=3))
    save_file(model.module.state_dict(), tmp_path / "mine.safetensors")
    draw(tmp_path / "out", {"--block": 1, "--checkpoint": tmp_path / "mine.safetensors"})
    table = pd.read_parquet(tmp_path / "out/features.parquet")
    assert set(table["weights"]) != set(pd.read_parquet(out / "features.parquet")["weights"])
    found = optimize(model, Channels(Site("ffn", 1), FEATURES), recipe_for("paper", model.spec, steps=2), 0, 3)
    assert np.allclose(table["score"], found.score, atol=1e-5)


def test_a_position_of_the_grid_can_be_asked_for(tmp_path, lab_vit, recipe):
    draw(tmp_path, {"--block": 1, "--features": 5, "--position": 9, "--copies": 3})
    found = optimize(
        lab_vit, Channels(Site("ffn", 1), (5,), position=9), recipe_for("paper", lab_vit.spec, steps=2, copies=3), 0
    )
    assert np.allclose(pd.read_parquet(tmp_path / "features.parquet")["score"], found.score)


WRONG = {
    "model": ({"--model": "lab/vti"}, r"^no model 'lab/vti'; nearest names: .*lab/vit.*see `vitexplore models`$"),
    "source": ({"--model": "vit"}, r"^no model 'vit'; nearest names: .*lab/vit"),
    "site": ({"--site": "fnn"}, r"^lab/vit has no site 'fnn'; it has ffn, query, key, value, attention_out, block$"),
    "block": ({"--block": "8"}, r"^--block '8': there are 0 to 7$"),
    "features": ({"--features": "3,256"}, r"^--features '3,256': there are 0 to 255$"),
    "words": ({"--features": "many"}, r"^--features 'many': write 5, or 0:12, or 0,5,11$"),
    "steps": ({"--steps": "0"}, r"^--steps, --copies and --batch must be at least 1$"),
    "copies": ({"--copies": "-1"}, r"^--steps, --copies and --batch must be at least 1$"),
    "batch": ({"--batch": "0"}, r"^--steps, --copies and --batch must be at least 1$"),
    "checkpoint": ({"--checkpoint": "none.safetensors"}, r"^model lab/vit: no checkpoint at none\.safetensors$"),
    "position": ({"--position": "64"}, r"^there are positions 0 to 63, not 64$"),
    "logit": ({"--site": "logit", "--position": "3"}, r"^class logits have neither positions nor directions$"),
    "class": ({"--site": "logit", "--features": "16"}, r"^--features '16': there are 0 to 15$"),
    "clip": ({"--model": "lab/clip", "--site": "logit"}, r"^lab/clip has no class logits; visualize a site$"),
    "width": ({"--directions": "narrow.npy", "--features": "0"}, r"ffn 1 has 256 channels, the directions have 64$"),
    "line": ({"--directions": "line.npy"}, r"^line\.npy has shape \[256\], not \[n, channels\]$"),
    "some": ({"--directions": "narrow.npy", "--features": "2"}, r"^--features '2': there are 0 to 1$"),
}


@pytest.mark.parametrize("words, message", WRONG.values(), ids=WRONG)
def test_wrong_input_is_refused_in_one_line_before_anything_is_written(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    np.save("narrow.npy", np.ones((2, 64)))
    np.save("line.npy", np.ones(256))
    with pytest.raises(InputError, match=message) as caught:
        draw(tmp_path / "out", words)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_directions_that_are_not_there_are_told_as_a_file_is(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npy"):
        draw(tmp_path / "out", {"--directions": tmp_path / "none.npy"})


def test_the_command_itself_exits_with_2_and_one_line(tmp_path):
    words = ["visualize", "--model", "lab/vti", "--site", "ffn", "--out", str(tmp_path / "out")]
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


# top_images


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
    options = {"--features": "7,200", "--scenes": 12, "--k": 4, "--batch": 5}
    on_one_thread("top-images", {**TOP, **options, "--out": tmp_path})
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
    options = {"--features": "7,200", "--images": tmp_path / "photos", "--k": 20}
    on_one_thread("top-images", {**TOP, **options, "--out": tmp_path / "out"})
    assert_best(pd.read_parquet(tmp_path / "out/top.parquet"), names, scores_nc[1], 12)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"--block": 8}, r"^lab/vit has blocks 0 to 7, not 8$"),
        ({"--site": "logit"}, r"^lab/vit has no site 'logit'; it has ffn"),
        ({"--features": "256"}, r"^--features '256': there are 0 to 255$"),
        ({"--k": 0}, r"^--k and --scenes must be at least 1$"),
        ({"--scenes": 0}, r"^--k and --scenes must be at least 1$"),
        ({"--images": "photos"}, r"^name either --images DIR or --scenes NUMBER$"),
    ],
)
def test_wrong_input_of_top_images_is_refused_in_one_line(tmp_path, options, message):
    with pytest.raises(InputError, match=message) as caught:
        on_one_thread("top-images", {**TOP, "--scenes": 3, **options, "--out": tmp_path / "out"})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_top_images_want_images_to_look_at(tmp_path):
    with pytest.raises(InputError, match=r"^name either"):
        on_one_thread("top-images", {**TOP, "--out": tmp_path / "out"})


def test_top_images_of_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(InputError, match="no pictures there"):
        on_one_thread("top-images", {**TOP, "--images": tmp_path, "--out": tmp_path / "out"})


# the experiment


@pytest.fixture(scope="module")
def loader() -> Loader:
    return Loader(scene_set("test", 12)).sample(12)


@pytest.fixture(scope="module")
def asked(lab_vit, loader) -> dict:
    """Three features of two sites of the middle block, two recipes, one of them less its jitter; one seed."""
    rankings = collect(lab_vit, loader, [Site(kind, block) for kind in ("ffn", "key") for block in range(8)], 6)
    top = pd.concat([frame(site, ranking) for site, ranking in rankings.items()], ignore_index=True)
    recipes = [RecipeOptions(name="paper", steps=2, copies=1), RecipeOptions(name="ours", steps=2, tv=0.01)]
    asked = {"features": 3, "depths": ["middle"], "sites": ["ffn", "key"], "images": 12, "seeds": 1}
    return asked | {"left_out": ["jitter"], "recipes": recipes, "found_in": 12, "k": 6, "top": top, "judge": None}


def test_sites_are_visualized_by_each_recipe_whole_and_less_its_parts_but_points_of_a_sweep_whole_alone(
    asked, tmp_path, lab_vit, loader
):
    table, losses = measure(lab_vit, loader, **asked, scratch=tmp_path)
    variants = ["paper", "paper-jitter", "ours, tv 0.01"]
    rows = [(site, variant) for site in ("ffn", "key") for variant in variants for _ in range(3)]
    assert list(zip(table["site"], table["variant"], strict=True)) == rows
    site = Site("ffn", 4)
    features = draw_features(lab_vit, site, 3)
    for variant, recipe in (
        ("paper", recipe_for("paper", lab_vit.spec, steps=2, copies=1)),
        ("paper-jitter", without(recipe_for("paper", lab_vit.spec, steps=2, copies=1), "jitter")),
        ("ours, tv 0.01", recipe_for("ours", lab_vit.spec, steps=2, tv=0.01)),
    ):
        found = optimize(lab_vit, Channels(site, features), recipe)
        mine = table[(table["site"] == "ffn") & (table["variant"] == variant)]
        assert set(mine["block"]) == {4} and mine["feature"].tolist() == list(features)
        assert np.allclose(mine["score"], found.score, atol=1e-5)
        for png, image in zip(mine["picture"], found.images, strict=True):
            assert np.array_equal(decode(png), (image.permute(1, 2, 0).numpy() * 255).round())
    assert len(losses) == 2 * 3 * 3 * 2 and losses["loss"].notna().all()


def test_an_experiment_that_was_interrupted_is_gone_on_with(asked, tmp_path, lab_vit, loader, monkeypatch):
    """Killed in the fourth of six visualizations, of two steps each."""
    steps = []
    step = Engine.step

    def counted(self, now, value):
        steps.append(now["step"])
        if len(steps) == 8:
            raise KeyboardInterrupt
        step(self, now, value)

    monkeypatch.setattr(Engine, "trial", lambda self, objective: None)
    monkeypatch.setattr(Engine, "step", counted)
    with pytest.raises(KeyboardInterrupt):
        measure(lab_vit, loader, **asked, scratch=tmp_path / "killed")
    steps[:] = [0] * 100
    found = measure(lab_vit, loader, **asked, scratch=tmp_path / "killed")
    assert len(steps) == 100 + 3 * 2
    for mine, whole in zip(found, measure(lab_vit, loader, **asked, scratch=tmp_path / "whole"), strict=True):
        pd.testing.assert_frame_equal(mine, whole)


def test_without_a_collected_table_the_same_images_are_found(asked, tmp_path, lab_vit, loader):
    found, _ = measure(lab_vit, loader, **asked | {"top": None}, scratch=tmp_path / "found")
    pd.testing.assert_frame_equal(found, measure(lab_vit, loader, **asked, scratch=tmp_path / "collected")[0])
    mine = exemplars(lab_vit, loader, [Site("ffn", 4), Site("key", 4)], 6)
    collected = asked["top"]
    pd.testing.assert_frame_equal(mine, collected[collected["block"] == 4].reset_index(drop=True))


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
        draw(tmp_path / name, {"--model": name, "--site": site, "--block": 0, "--features": 0, "--steps": 1})
        assert (tmp_path / name / f"{site}_0_00000.png").exists()
    assert json.loads((tmp_path / "lab/clip/recipe.json").read_text())["learning_rate"] == 1.0
    assert json.loads((tmp_path / "lab/cnn/recipe.json").read_text())["learning_rate"] == PAPER.learning_rate
