"""A folder of photographs, listed with their classes and boxes, for every experiment to read."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from vitexplore.data.coco import index_coco
from vitexplore.data.imagenet9 import CLASSES, index_imagenet9
from vitexplore.data.photos import imagenet_wnids, index_photos
from vitexplore.errors import InputError
from vitexplore.io import write_atomically, write_json, write_text
from vitexplore.provenance import versions

log = logging.getLogger(__name__)
MOST_BROKEN = 10  # pictures; more than that stop the run when they are also
BROKEN_SHARE = 0.001  # of all pictures
PLACE = ["path", "offset"]  # where a picture lies is no part of what the data are
AT_ONCE = 10_000  # rows; another number is another hash


def write_index(
    photos: Path,
    out: Path,
    broken: Path,
    kind: str = "photos",
    labels: Path | None = None,
    boxes: Path | None = None,
    instances: Path | None = None,
    captions: Path | None = None,
    expected: int | None = None,
    classes: int | None = None,
    images_per_class: int | None = None,
    workers: int = 1,
) -> None:
    """List ``photos`` (a folder with <WordNet id>/*.JPEG, *.JPEG or *.tar) in the folder ``out``, and in the CSV
    ``broken`` those that cannot be read: path, reason. ``kind``: photos, or imagenet9 (then ``photos`` holds the
    variants of the backgrounds challenge). ``images_per_class``: the first of each class by name; all for None.
    ``labels``: classes of flat pictures, a class a line, name and
    class, or CSV. ``boxes``: a folder with <WordNet id>/*.xml in Pascal VOC form, or Kaggle's CSV. ``instances``:
    COCO's file on ``photos``, which have no classes then, and ``captions`` another. Raises InputError for other numbers
    of pictures and classes than ``expected`` and ``classes``, for too many broken pictures, for what `index_photos`,
    `index_coco` and `index_imagenet9` refuse, and where nothing can be written."""
    names = imagenet_wnids()
    if kind == "imagenet9":
        names = CLASSES
        table, unread = index_imagenet9(photos, workers, expected, images_per_class)
    elif instances:
        names = []
        table, unread = index_coco(photos, instances, captions, workers, expected)
    else:
        table, unread = index_photos(photos, boxes, workers, labels, expected, classes, images_per_class)
    with _writing_to(broken.parent):
        write_atomically(broken, lambda path: unread.to_csv(path, index=False))
    every = len(unread) + len(table)
    if len(unread):
        log.warning("%d of %d pictures are broken: see %s", len(unread), every, broken)
    if table.empty:
        raise InputError(f"{photos}: every picture is broken; see {broken}")
    if len(unread) > max(MOST_BROKEN, BROKEN_SHARE * every):
        raise InputError(f"{photos}: {len(unread)} of {every} pictures are broken; mend those in {broken}")
    with_boxes = int((table["boxes"].str.len() > 0).sum())
    if boxes or instances:
        log.info("%d of %d pictures have boxes; experiments on boxes leave the others out", with_boxes, len(table))
    counts = {"kind": "photos", "images": len(table), "broken": len(unread), "with_boxes": with_boxes}
    with _writing_to(out):
        write_atomically(out / "images.parquet", lambda path: table.to_parquet(path, index=False))
        write_text(out / "classes.txt", "".join(f"{name}\n" for name in names))
        write_json(out / "provenance.json", counts | {"hash": _hash(table), "libraries": versions()})


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    """A full disk and the like, as InputError; what was written before stays."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{folder} cannot be written to: {error}; make room there or name another folder") from error


def _hash(table: pd.DataFrame) -> str:
    """Of all that the table says, the pictures' checksums among it, but for where they lie."""
    digest = hashlib.sha256()
    for start in range(0, len(table), AT_ONCE):
        digest.update(table.iloc[start : start + AT_ONCE].drop(columns=PLACE).to_json(orient="values").encode())
    return digest.hexdigest()
