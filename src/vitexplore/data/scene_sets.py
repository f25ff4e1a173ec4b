"""Scenes of the lab as a set of images, with every factor that made them in its table."""

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from vitexplore.data.captions import caption
from vitexplore.data.images import ImageSet
from vitexplore.data.scenes import SIZE, WORLD, Scene, draw_split, sample
from vitexplore.data.shapes import CLASSES
from vitexplore.io import write_atomically, write_json, write_text
from vitexplore.provenance import versions


def scene_set(split: str, count: int, workers: int = 1) -> ImageSet:
    """The first ``count`` scenes of ``split``, rendered."""
    pixels, masks, boxes = draw_split(split, count, workers)
    table = pd.DataFrame([factors(sample(split, index)) for index in range(count)])
    table["name"] = [f"{split}-{index}" for index in range(count)]
    table["path"], table["width"], table["height"] = "", SIZE, SIZE
    table["boxes"] = [box.tolist() for box in boxes]
    return ImageSet(table, CLASSES, pixels, masks)


def factors(scene: Scene) -> dict:
    """A scene as one row of a table."""
    row = asdict(scene)
    del row["placements"], row["noise"]
    if not scene.ground_texture:
        del row["ground_texture"]  # a column of the textured split alone: tables of the others stay as they were
    return row | {"category": scene.category, "count": scene.count, "caption": caption(scene)}


def write_scenes(split: str, count: int, workers: int, out: Path) -> None:
    """Render the first ``count`` scenes of ``split`` into the folder ``out``, which every experiment reads."""
    scenes = scene_set(split, count, workers)
    pixels, masks, table = scenes.pixels, scenes.masks, scenes.table
    digest = hashlib.sha256(pixels.tobytes() + masks.tobytes() + table.to_json().encode()).hexdigest()
    write_atomically(out / "pixels.npz", lambda path: np.savez(path, pixels=pixels, masks=masks))
    write_atomically(out / "images.parquet", lambda path: table.to_parquet(path, index=False))
    write_text(out / "classes.txt", "\n".join(scenes.classes) + "\n")
    provenance = {"kind": "scenes", "world": WORLD, "split": split, "count": count}
    write_json(out / "provenance.json", provenance | {"hash": digest, "libraries": versions()})
