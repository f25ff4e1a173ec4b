"""Masks as COCO's run lengths: the union of an image's objects as a short text, and the mask that it stands for.

COCO's own library draws the polygons, so that masks are those of other work on COCO.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco


def union(segmentations: Sequence[Any], width: int, height: int) -> str:
    """The pixels of any of ``segmentations``, encoded. Each is a list of polygons (``[x, y, x, y, ...]`` in pixels), or
    run lengths (``{"size": [height, width], "counts": [...] or "..."}``, column by column, from the background on).
    Raises ValueError for one that is neither, or of another size."""
    codes = [code for each in segmentations for code in _codes(each, width, height)]
    return coco.merge(codes)["counts"].decode()


def decode(counts: str, width: int, height: int) -> np.ndarray:
    """bool [h, w]. Raises ValueError for run lengths of another size."""
    return coco.decode({"size": [height, width], "counts": counts}).astype(bool)


def _codes(segmentation: Any, width: int, height: int) -> list[dict[str, Any]]:
    if isinstance(segmentation, list):
        for polygon in segmentation:
            if len(polygon) < 6 or len(polygon) % 2:
                raise ValueError(f"a polygon of {len(polygon)} numbers")
        return coco.frPyObjects(segmentation, height, width) if segmentation else []
    if not isinstance(segmentation, dict) or segmentation.get("size") != [height, width]:
        raise ValueError(f"a mask that is no polygon and not of {width} x {height} pixels")
    counts = segmentation["counts"]
    if isinstance(counts, str):
        decode(counts, width, height)  # a wrong text is found here: merge does not look
        return [segmentation]
    if sum(counts) != width * height or min(counts) < 0:
        raise ValueError(f"run lengths that add up to {sum(counts)} pixels of {width * height}, or are negative")
    return [coco.frPyObjects(segmentation, height, width)]
