"""COCO (Lin et al. 2014): a folder of pictures with ``instances_*.json`` and, if wanted, ``captions_*.json``."""

import json
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from vitexplore.data.boxes import Boxes, inside, tolerate
from vitexplore.data.encoded import Broken, Encoded, encoded_file
from vitexplore.data.layouts import check_count, flat_and_folders
from vitexplore.data.rle import union
from vitexplore.errors import InputError
from vitexplore.progress import track

ROUNDING = 0.02  # pixels: COCO rounds a box's corner and extent to a hundredth each; their sum may pass the side


class Row(NamedTuple):
    """A row of the index. ``mask``: run lengths of the union of all objects (see rle.py), "" where there are none.
    ``category``: of its objects, each once, sorted; ``supercategory`` and ``masks``, of each of these. There is no
    label: a picture shows many objects, and no classifier's class is said to be its own."""

    path: str
    name: str
    width: int
    height: int
    boxes: Boxes
    mask: str
    category: list[str]
    supercategory: list[str]
    masks: list[str]
    offset: int
    size: int
    checksum: int


@dataclass
class _Image:
    """What ``instances_*.json`` says of a picture."""

    id: int
    size: tuple[int, int]
    boxes: Boxes = field(default_factory=list)
    segmentations: dict[str, list[Any]] = field(default_factory=dict)  # by category
    categories: dict[str, str] = field(default_factory=dict)  # and the super-category of each


def index_coco(
    images: Path, instances: Path, captions: Path | None, workers: int, expected: int | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every picture of the folder ``images``: a table of Row's fields, sorted by name, and a table of the broken ones
    (path, reason). With ``captions`` a column ``caption``, a list, empty for a picture that has none.

    The object of a picture is the union of all its objects, groups (``iscrowd``) too: maps are asked whether they find
    objects, and nothing says which of the categories would be the one. Pictures of ``instances`` that are not in
    ``images`` are left out. Raises InputError for a folder that is missing, empty or has class folders; files that are
    not COCO's; a picture that ``instances`` does not know; pictures that are not ``expected`` many; and wrong
    annotations, unless those are few (see ``boxes.tolerate``): then these pictures have no boxes and no mask."""
    known = _parsed(instances, "instances", _images)
    said = _parsed(captions, "captions", _captions) if captions else None
    paths = _pictures(images, instances)
    check_count(images, len(paths), expected)
    unknown = next((path for path in paths if Path(path).name not in known), None)
    if unknown:
        raise InputError(f"{unknown}: {instances} says nothing of it; name the file that belongs to the folder")
    with ThreadPoolExecutor(workers) as pool:
        read = pool.map(partial(encoded_file, images), paths)
        found = list(track(read, f"{images}: reading", len(paths)))
    rows, wrong = [], []
    for picture in found:
        if isinstance(picture, Encoded):
            image = known[Path(picture.path).name]
            try:
                rows.append(_row(picture, image))
            except (TypeError, ValueError) as error:
                wrong.append(f"{instances}: {Path(picture.path).name}: {error}; correct it")
                rows.append(_row(picture, _Image(image.id, image.size)))
    tolerate(wrong, len(wrong) + sum(len(row.boxes) > 0 for row in rows))
    table = pd.DataFrame(rows, columns=list(Row._fields))
    if said is not None:
        table["caption"] = [said[known[Path(path).name].id] for path in table["path"]]
    broken = [picture for picture in found if isinstance(picture, Broken)]
    return table, pd.DataFrame(broken, columns=Broken._fields)


def _pictures(images: Path, instances: Path) -> list[str]:
    paths, folders = flat_and_folders(images)
    if folders:
        both = f"class folders, such as {min(folders).name}, but {instances.name} is of pictures that lie flat"
        raise InputError(f"{images}: {both}; leave instances out or name COCO's folder")
    if not paths:
        raise InputError(f"{images}: no pictures there; name the folder that {instances.name} is of")
    return paths


def _row(picture: Encoded, image: _Image) -> Row:
    """Raises ValueError for annotations that do not fit the picture."""
    size = picture.width, picture.height
    if image.segmentations and size != image.size:
        raise ValueError(f"annotated as {image.size[0]} x {image.size[1]} pixels, but it has {size[0]} x {size[1]}")
    boxes = inside(image.boxes, size, "objects")
    if isinstance(boxes, str):
        raise ValueError(boxes.removesuffix("; correct the box"))
    every = [each for found in image.segmentations.values() for each in found]
    mask = union(every, *size) if every else ""
    names = sorted(image.categories)
    masks = [union(image.segmentations[name], *size) for name in names]
    categories = names, [image.categories[name] for name in names], masks
    place = picture.offset, picture.size, picture.checksum
    return Row(picture.path, Path(picture.path).stem, *size, boxes, mask, *categories, *place)


# --- COCO's files


def _parsed(path: Path, kind: str, parse: Callable[[dict[str, Any]], Any]) -> Any:
    try:
        return parse(json.loads(path.read_bytes()))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; correct its name, or copy it there") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        told = f"{type(error).__name__} {error}".splitlines()[0]
        raise InputError(f"{path}: not COCO's {kind}_*.json: {told}; correct the file or its name") from error


def _images(found: dict[str, Any]) -> dict[str, _Image]:
    """By file name."""
    categories = {each["id"]: (each["name"], each["supercategory"]) for each in found["categories"]}
    by_id = {each["id"]: _Image(each["id"], (each["width"], each["height"])) for each in found["images"]}
    for each in found["annotations"]:
        image = by_id[each["image_id"]]
        left, top, width, height = each["bbox"]
        ends = zip((left + width, top + height), image.size, strict=True)
        right, bottom = (side if side < end < side + ROUNDING else end for end, side in ends)
        image.boxes.append([float(left), float(top), float(right), float(bottom)])
        category, supercategory = categories[each["category_id"]]
        image.segmentations.setdefault(category, []).append(each["segmentation"])
        image.categories[category] = supercategory
    return {each["file_name"]: by_id[each["id"]] for each in found["images"]}


def _captions(found: dict[str, Any]) -> dict[int, list[str]]:
    """By the picture's id, in the file's order."""
    said: dict[int, list[str]] = defaultdict(list)
    for each in found["annotations"]:
        said[each["image_id"]].append(each["caption"].strip())
    return said
