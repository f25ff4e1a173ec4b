"""The wheel, installed into an environment that has the libraries but not this checkout, works in an empty folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image
from project import ROOT

from vitexplore.models.catalogue import catalogue

LIMIT = 60e6  # bytes; registries take up to 100 MB
BUILT_FROM = ("pyproject.toml", "README.md", "LICENSE")

pytestmark = pytest.mark.slow


class Installed(NamedTuple):
    wheel: Path
    programs: Path
    folder: Path

    def run(self, *words: str, code: int = 0) -> str:
        """What a program of the environment says, in the folder; it exits with ``code``."""
        command = [self.programs / words[0], *words[1:]]
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"COLUMNS": "200"}
        done = subprocess.run(command, cwd=self.folder, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Installed:
    source, wheels, home, folder = map(tmp_path_factory.mktemp, ("source", "wheels", "environment", "empty"))
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source], check=True)
    (wheel,) = wheels.glob("vitexplore-*.whl")
    venv.create(home)
    libraries = "".join(f"{path}\n" for path in sys.path if Path(path).name == "site-packages")
    inside = sysconfig.get_path("purelib", "venv", {"base": str(home), "platbase": str(home)})
    # .pth files of the libraries' own folder are not read from here, so an editable installation does not count
    (Path(inside) / "libraries.pth").write_text(libraries)
    subprocess.run([*pip, "--python", home / "bin/python", "install", "--no-deps", "--no-index", wheel], check=True)
    return Installed(wheel, home / "bin", folder)


def test_the_wheel_is_small_enough_and_has_all_weights(installed):
    assert installed.wheel.stat().st_size < LIMIT
    names = set(zipfile.ZipFile(installed.wheel).namelist())
    data = [path for path in (ROOT / "src").rglob("*") if path.suffix in {".safetensors", ".csv", ".json"}]
    assert {str(path.relative_to(ROOT / "src")) for path in data} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_it_is_the_wheel_that_runs(installed):
    code = "import sys, vitexplore; from vitexplore import show; print(vitexplore.__file__, *sys.path, sep='\\n')"
    file, *paths = installed.run("python", "-c", code).split()
    assert Path(file).is_relative_to(installed.programs.parent)
    assert not any(Path(path).is_relative_to(ROOT / "src") for path in paths)
    assert installed.run("vitexplore", "--version").startswith("vitexplore ")


def test_features_are_visualized(installed):
    shown = installed.run("vitexplore", "visualize", "lab/vit", "ffn:5:0", "--steps", "1", "--device", "cpu")
    assert Image.open(installed.folder / shown.strip()).getextrema() != ((255, 255),) * 3


def test_the_images_that_activate_features_most_are_found(installed):
    shown = installed.run("vitexplore", "top-images", "lab/vit", "ffn:5:0:2", "--scenes", "50", "--device", "cpu")
    assert (installed.folder / shown.strip()).exists()


def test_models_are_listed(installed):
    shown = installed.run("vitexplore", "models", "--like", "lab/")
    names = catalogue()["name"]
    assert all(name in shown for name in names[names.str.startswith("lab/")])


@pytest.mark.parametrize(
    "words", [["replicate"], ["report"], ["check", "claims.csv", "--scale", "lab"]], ids=lambda words: words[0]
)
def test_what_needs_a_clone_says_so_in_a_line(installed, words):
    (installed.folder / "claims.csv").touch()
    shown = installed.run("vitexplore", *words, code=2)
    assert shown.startswith(f"error: {words[0]}: ") and shown.count("\n") == 1
    assert "in a clone of the project" in shown
