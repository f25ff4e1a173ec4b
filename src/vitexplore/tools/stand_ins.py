"""One folder of photographs in the place of all that a scale looks at: what an experiment costs does not depend on what
they show. What it needs to be known of them is made up."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vitexplore.data.imagenet9 import CLASSES, SHOWN
from vitexplore.data.images import ImageSet, spread
from vitexplore.data.index import write_index
from vitexplore.data.said import SAID
from vitexplore.graph import INDEX, Graph
from vitexplore.io import write_atomically, write_text
from vitexplore.measures.factors import FEWEST
from vitexplore.scale_data import DATA, Photographs
from vitexplore.statistics.splits import halves

OF_COCO = 2 * 3 * FEWEST  # pictures: either half has enough that show one member, another, or neither
PROVENANCE = "provenance.json"
CATEGORIES = 11  # super-categories of COCO that join several members


def write_stand_ins(graph: Graph, workers: int) -> None:
    """List the scale's own photographs, and the same in the place of each of its other sets. Raises InputError for
    photographs that `write_index` refuses."""
    folder = graph.out / DATA
    write_index(**graph.index_arguments(DATA), out=folder, broken=graph.out / "broken.csv", workers=workers)
    images = ImageSet.read(folder)
    for name in graph.sources():
        if name != DATA:
            _write(_stand_in(graph.scale.photographs(name))(images), graph.out / name)
            shutil.copyfile(folder / PROVENANCE, graph.out / name / PROVENANCE)


def _write(images: ImageSet, folder: Path) -> None:
    """As ImageSet.read reads it."""
    write_atomically(folder / INDEX, lambda path: images.table.to_parquet(path, index=False))
    write_text(folder / "classes.txt", "".join(f"{name}\n" for name in images.classes))


def _stand_in(photographs: Photographs) -> Callable[[ImageSet], ImageSet]:
    if photographs.kind == "imagenet9":
        return as_imagenet9
    return as_coco if photographs.instances else lambda images: images


def as_imagenet9(images: ImageSet) -> ImageSet:
    """As `index_imagenet9` lists them, each picture as all its variants, the classes in turn."""
    table = images.table.assign(label=np.arange(len(images)) % len(CLASSES))
    parts = [table.assign(condition=condition) for condition in SHOWN]
    return ImageSet(pd.concat(parts, ignore_index=True), CLASSES)


def as_coco(images: ImageSet) -> ImageSet:
    """OF_COCO pictures, over and over the same, as `index_coco` lists them: the object is in the middle, captions name
    every concept of SAID or none, and of each super-category a third of the pictures shows one member, a third another.
    """
    table = images.table.iloc[np.resize(np.arange(len(images)), OF_COCO)].reset_index(drop=True)
    table["boxes"] = [[[w // 4, h // 4, 3 * w // 4, 3 * h // 4]] for w, h in table[["width", "height"]].to_numpy()]
    said = [f"a picture {each.prompt}" for each in SAID.values()]
    table["caption"] = [said if third else ["a picture"] for third in _thirds(CATEGORIES)]
    shown = [_of_picture(thirds) for thirds in zip(*map(_thirds, range(CATEGORIES)), strict=True)]
    table["category"] = [[member for member, _ in mine] for mine in shown]
    table["supercategory"] = [[joined for _, joined in mine] for mine in shown]
    return ImageSet(table.drop(columns="label"), ())


def _of_picture(thirds: Sequence[int]) -> list[tuple[str, str]]:
    """Member and super-category of each object that a picture shows, by the third that it is in of each of these."""
    return [(f"{number} {third}", f"kind {number}") for number, third in enumerate(thirds) if third]


def _thirds(seed: int) -> np.ndarray:
    """0, 1 and 2, int64 [OF_COCO], as many of each in either half of the order in which experiments see pictures."""
    found, order, rng = np.empty(OF_COCO, dtype=np.int64), spread(OF_COCO, OF_COCO), np.random.default_rng(seed)
    for half in halves(OF_COCO):
        found[order[half]] = rng.permutation(np.arange(len(half)) % 3)
    return found
