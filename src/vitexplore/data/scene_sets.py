"""Scenes of the lab as a set of images, with every factor that made them in its table."""

from dataclasses import asdict

import pandas as pd

from vitexplore.data.captions import caption
from vitexplore.data.images import ImageSet
from vitexplore.data.scenes import SIZE, Scene, draw_split, sample
from vitexplore.data.shapes import CLASSES


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
    return row | {"category": scene.category, "count": scene.count, "caption": caption(scene)}
