"""README's section on models, data sets, experiments and claims of one's own: its files and commands, as they stand
there; and its example for a notebook."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image
from project import copy_of_project, environment, said
from safetensors.torch import save_file

from vitexplore.stats import INCONCLUSIVE, NOT_REPRODUCED, PARTLY, REPRODUCED

README = Path(__file__).parent.parent / "README.md"
SECTION = "Add your own model, data set, experiment, claim"
CLASSES = {"n01443537": 1, "n02092002": 177}  # goldfish, Scottish deerhound
PICTURES = 6  # of each class
WIDTH, HEIGHT = 96, 80
BOX = (16, 8, 72, 64)
VOC = """<annotation><object><name>{}</name><bndbox>
<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object></annotation>"""

pytestmark = pytest.mark.slow


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


def follow(project: Path, heading: str) -> None:
    """Do what README says under ``heading``, in a shell that has this environment's programs."""
    example = examples()[heading]
    for path, text in example.files.items():
        assert not (project / path).exists(), f"{path} would replace a file of the project"
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for command in example.commands:
        variables = environment(project) | {"PATH": programs}
        done = subprocess.run(
            ["bash", "-ec", command], cwd=project, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, said(done)[-3000:]


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
    assert table["auroc"].map(len).gt(32).all() and table["block"].nunique() == 12


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
    mine = table[table["claim"] == "energy_grows"].iloc[0]
    assert mine["verdict"] in {REPRODUCED, PARTLY, NOT_REPRODUCED, INCONCLUSIVE}
    assert mine["low"] <= mine["measured"] <= mine["high"]
    assert np.isfinite(mine["control"])
    assert (project / "results/smoke/figures/energy_grows.png").exists()
    others = table[table["claim"] != "energy_grows"]
    assert len(others) == 12 and set(others["verdict"]) == {"not tested"}


def test_notebook(project):
    (example,) = re.findall(
        r"^```python\n(from vitexplore import .*?)^```", README.read_text(), re.MULTILINE | re.DOTALL
    )
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, said(done)
    assert "uniformity" in done.stdout
