"""What many tests share: a small model with random weights, and a small set of rendered scenes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from vitexplore.data.images import ImageSet
from vitexplore.data.scene_sets import factors, scene_set
from vitexplore.data.scenes import SIZE, draw_split, sample
from vitexplore.data.shapes import CLASSES
from vitexplore.io import write_atomically
from vitexplore.models.catalogue import named
from vitexplore.models.registry import Model, load
from vitexplore.models.spec import ModelSpec

pytest_plugins = ["atlas_browser"]
torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "CSV to write of the architectures that were tested, if no test failed"
    parser.addoption("--report-architectures", type=Path, metavar="PATH", help=what)


@pytest.fixture(scope="session")
def architecture_rows(request) -> Iterator[list[dict[str, Any]]]:
    """Takes one row for each architecture; what ``--report-architectures`` writes in the end."""
    rows: list[dict[str, Any]] = []
    yield rows
    path = request.config.getoption("--report-architectures")
    if path and not request.session.testsfailed:
        write_atomically(path, lambda temporary: pd.DataFrame(rows).to_csv(temporary, index=False))


RANDOM_VIT = ModelSpec("m", "lab", "lab_vit", "vit", weights="random")


@pytest.fixture
def vit() -> Model:
    """A fresh lab ViT with random weights, which a test may change."""
    return load(RANDOM_VIT)


@pytest.fixture(scope="session")
def shared_vit() -> Model:
    """The same, for tests that only read it."""
    return load(RANDOM_VIT)


@pytest.fixture(scope="session")
def lab_vit() -> Model:
    """The lab's trained ViT, for tests that only read it."""
    return load(named("lab/vit"))


@pytest.fixture(scope="session")
def scenes() -> ImageSet:
    """One test scene of each class."""
    count = len(CLASSES)
    pixels, masks, boxes = draw_split("test", count)
    table = pd.DataFrame({"label": range(count), "name": CLASSES, "path": "", "height": SIZE, "width": SIZE})
    table["boxes"] = [box.tolist() for box in boxes]
    return ImageSet(table, CLASSES, pixels, masks)


@pytest.fixture(scope="session")
def many() -> ImageSet:
    """Forty test scenes."""
    return scene_set("test", 40)


@pytest.fixture(scope="session")
def unpainted() -> ImageSet:
    """The factors of many scenes, which are quick to draw; no pixels."""
    return ImageSet(pd.DataFrame([factors(sample("test", index)) for index in range(960)]), CLASSES)
