"""Folders of photographs in ImageNet's layout: ``images/<wnid>/*.JPEG``, ``boxes/<wnid>/*.xml``."""

import logging
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from PIL import Image
from timm.data import ImageNetInfo

from vitexplore.data.images import ImageSet
from vitexplore.errors import InputError

log = logging.getLogger(__name__)
SUFFIXES = {".jpeg", ".jpg", ".png"}
MIN_SIDE = 8  # pixels; a picture narrower than that shows nothing
TABLE = ["path", "name", "label", "wnid", "width", "height", "boxes"]


def imagenet_wnids() -> list[str]:
    """The 1,000 WordNet ids of ImageNet-1k in the order of its classifiers."""
    return ImageNetInfo("imagenet-1k").label_names()


def index_photos(images: Path, boxes: Path | None, workers: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every picture below ``images``: a table of TABLE's columns, sorted by name, and a table of the broken
    ones (path, reason). Grey and CMYK pictures count as good: they are converted when read. Raises InputError
    for a folder that is missing or empty, a class that ImageNet-1k does not have, and a box outside its
    image."""
    if not images.is_dir():
        raise InputError(f"{images}: no such folder; put images/<WordNet id>/*.JPEG there or name another")
    if boxes and not boxes.is_dir():
        raise InputError(f"{boxes}: no such folder of boxes; leave it out to run without")
    wnids = {wnid: label for label, wnid in enumerate(imagenet_wnids())}
    paths = sorted(path for path in images.glob("*/*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise InputError(f"{images}: no pictures in <WordNet id> folders; expected <WordNet id>/*.JPEG")
    for folder in sorted({path.parent for path in paths}):
        if folder.name not in wnids:
            raise InputError(f"{folder}: ImageNet-1k has no class {folder.name!r}; rename the folder or take it away")
    with ThreadPoolExecutor(workers) as pool:
        sizes = list(pool.map(_size, paths))
    broken = [(str(path), size) for path, size in zip(paths, sizes, strict=True) if isinstance(size, str)]
    rows = []
    for path, size in zip(paths, sizes, strict=True):
        if isinstance(size, str):
            continue
        wnid = path.parent.name
        found = _boxes(boxes / wnid / f"{path.stem}.xml", wnid, size) if boxes else []
        rows.append((str(path), f"{wnid}/{path.stem}", wnids[wnid], wnid, *size, found))
    return pd.DataFrame(rows, columns=TABLE), pd.DataFrame(broken, columns=["path", "reason"])


def folder_of_photos(folder: Path) -> ImageSet:
    """Every picture below ``folder``, however deep, without classes or boxes; broken ones are left out, with a warning.
    Raises InputError for a folder that is missing or holds no picture."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    sizes = [_size(path) for path in paths]
    rows = []
    for path, size in zip(paths, sizes, strict=True):
        if isinstance(size, str):
            log.warning("%s left out: %s", path, size)
        else:
            rows.append((str(path), str(path.relative_to(folder)), 0, "", *size, []))
    if not rows:
        raise InputError(f"{folder}: no pictures there; name a folder that holds some")
    return ImageSet(pd.DataFrame(rows, columns=TABLE), ())


def _size(path: Path) -> tuple[int, int] | str:
    """Width and height, or what is wrong with the file."""
    try:
        with Image.open(path) as image:
            image.convert("RGB")  # decodes all of it, so that a cut file is found here
            width, height = image.size
    except (OSError, SyntaxError, ValueError) as error:
        return "the file is empty" if path.stat().st_size == 0 else str(error).splitlines()[0]
    return (width, height) if min(width, height) >= MIN_SIDE else f"only {width} x {height} pixels"


def _boxes(path: Path, wnid: str, size: tuple[int, int]) -> list[list[float]]:
    """Boxes (left, top, right, bottom in pixels) of the true class; none where there is no file."""
    if not path.exists():
        return []
    try:
        root = ElementTree.parse(path).getroot()
        found = [
            [float(item.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")]
            for item in root.iter("object")
            if item.findtext("name") == wnid
        ]
    except (ElementTree.ParseError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a Pascal VOC annotation: {error}") from error
    for left, top, right, bottom in found:
        if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]):
            box = f"{left:g}, {top:g}, {right:g}, {bottom:g}"
            raise InputError(f"{path}: box {box} lies outside its image of {size[0]} x {size[1]}; correct the box")
    return found
