"""What is written under an image: its caption, or else the name of its class, or else its own."""

import re
import runpy
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from vitexplore.data.images import ImageSet

WORDNET_ID = re.compile(r"n\d{8}")


def caption_of(images: ImageSet, index: int) -> str:
    return images.caption(index) or class_of(images, index) or str(images.table["name"].iloc[index])


def class_of(images: ImageSet, index: int) -> str:
    """The name of an image's class, "" where it has none. ImageNet's, which are known by WordNet ids, in words."""
    if "label" not in images.table:
        return ""
    label = images.table["label"].iloc[index]
    name = images.classes[label]
    return class_names()[label] if WORDNET_ID.fullmatch(name) else name


@cache
def class_names() -> Sequence[str]:
    """ImageNet's, from the file in which open_clip keeps them: to import open_clip is to import torch."""
    folder = Path(find_spec("open_clip").origin).parent
    return runpy.run_path(str(folder / "zero_shot_metadata.py"))["IMAGENET_CLASSNAMES"]
