"""An index of photographs, in files or WebDataset shards: every picture, read once, with its class, size and boxes."""

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from timm.data import ImageNetInfo

from vitexplore.data.boxes import Boxes, Finder, box_finder, tolerate
from vitexplore.data.encoded import Broken, Encoded, encoded, encoded_file
from vitexplore.data.images import ImageSet
from vitexplore.data.layouts import SUFFIXES, Picture, check_count, list_pictures, pictures_in
from vitexplore.data.shards import count_pictures, find_shards, samples
from vitexplore.errors import InputError
from vitexplore.progress import track

log = logging.getLogger(__name__)
BATCH = 256  # files that a thread takes at once


class Row(NamedTuple):
    """A row of the index. The encoded picture is the ``size`` bytes from ``offset`` on in the file ``path``."""

    path: str
    name: str
    label: int
    wnid: str
    width: int
    height: int
    boxes: Boxes | str  # or what is wrong with them: no table holds that
    offset: int
    size: int
    checksum: int


TABLE = list(Row._fields)


@cache
def _imagenet() -> ImageNetInfo:
    return ImageNetInfo("imagenet-1k")


def imagenet_wnids() -> list[str]:
    """The 1,000 WordNet ids of ImageNet-1k in the order of its classifiers."""
    return _imagenet().label_names()


def imagenet_names() -> dict[str, frozenset[str]]:
    """By WordNet id, the class's names in lower case, such as ``scottish_deerhound``."""
    described = _imagenet().label_descriptions(as_dict=True)
    return {
        wnid: frozenset(name.strip().lower().replace(" ", "_") for name in text.split(","))
        for wnid, text in described.items()
    }


def index_photos(
    images: Path,
    boxes: Path | None,
    workers: int,
    labels: Path | None = None,
    expected: int | None = None,
    classes: int | None = None,
    per_class: int | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every picture below ``images``, or of each class the first ``per_class`` by name: a table of Row's fields, sorted
    by name, and a table of the broken ones (path, reason). ``list_pictures`` and ``samples`` say what may lie there,
    and what ``labels`` may be; ``box_finder`` what ``boxes`` may. Grey and CMYK pictures count as good: they are
    converted when read. Raises InputError for what those refuse; for pictures, broken ones too, that are not
    ``expected`` many, or not of so many ``classes``; for a folder that disappears meanwhile; and for wrong boxes,
    unless at most WRONG_BOXES of the annotated pictures have such: then these have no boxes."""
    wnids = imagenet_wnids()
    with ThreadPoolExecutor(workers) as pool:
        shards = _shards_alone(images, labels)
        pictures = [] if shards else list_pictures(images, labels, wnids)
        counts = pool.map(count_pictures, shards)
        count = sum(track(counts, f"{images}: counting", len(shards))) if shards else len(pictures)
        check_count(images, count, expected)
        pictures = _first(pictures, per_class)
        classes_in_order = {wnid: label for label, wnid in enumerate(wnids)}
        reader = _Reader(images, classes_in_order, box_finder(boxes, imagenet_names()))
        chunks = _chunks(pictures, workers)
        parts = pool.map(reader.shard, shards) if shards else pool.map(reader.files, chunks)
        table, broken, wrong = _gathered(track(parts, f"{images}: reading", len(shards or chunks)))
    if per_class is not None:  # shards are known when they are read
        table = table.groupby("wnid", sort=False).head(per_class).reset_index(drop=True)
    tolerate(wrong, len(wrong) + int((table["boxes"].str.len() > 0).sum()))
    found = table["wnid"].nunique()
    if classes is not None and found != classes:
        missing = ", ".join(sorted(set(wnids) - set(table["wnid"]))[:3])
        mend = f"there is none of {missing}" if found < classes else "correct the folder or the scale"
        raise InputError(f"{images}: pictures of {found} classes, expected {classes}; {mend}")
    return table, broken


def _first(pictures: list[Picture], per_class: int | None) -> list[Picture]:
    """Of ``pictures``, sorted by class, the first ``per_class`` of each; all for None."""
    by_class = (list(mine) for _, mine in groupby(pictures, attrgetter("wnid")))
    return [picture for mine in by_class for picture in mine[:per_class]]


def _gathered(parts: Iterable[list[Row | Broken]]) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """The table of the rows, that of the broken pictures, and what is wrong with boxes."""
    frames, broken, wrong = [], [], []
    for part in parts:
        broken += [entry for entry in part if isinstance(entry, Broken)]
        rows = [entry for entry in part if isinstance(entry, Row)]
        wrong += [row.boxes for row in rows if isinstance(row.boxes, str)]
        rows = [row._replace(boxes=[]) if isinstance(row.boxes, str) else row for row in rows]
        if rows:  # a frame a part: all rows as Python's objects would take several times the memory
            frames.append(pd.DataFrame(rows, columns=TABLE))
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=TABLE)
    table = table.sort_values("name", kind="stable", ignore_index=True)
    return table, pd.DataFrame(broken, columns=Broken._fields), wrong


def folder_of_photos(folder: Path) -> ImageSet:
    """Every picture below ``folder``, however deep, without classes or boxes; broken ones are left out, with a warning.
    Raises InputError for a folder that is missing or holds no picture."""
    rows = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
        found = encoded(str(path), path.read_bytes())
        if isinstance(found, Broken):
            log.warning("%s left out: %s", *found)
        else:
            rows.append({**found._asdict(), "name": str(path.relative_to(folder)), "boxes": []})
    if not rows:
        raise InputError(f"{folder}: no pictures there; name a folder that holds some")
    return ImageSet(pd.DataFrame(rows), ())


@dataclass(frozen=True)
class _Reader:
    """Makes Rows of what lies in ``root``. Its methods run in threads: Pillow decodes outside Python's lock."""

    root: Path
    labels: Mapping[str, int]  # by WordNet id, in the classifiers' order
    find: Finder

    def files(self, pictures: list[Picture]) -> list[Row | Broken]:
        return [self._row(encoded_file(self.root, path), Path(path).stem, wnid) for path, wnid in pictures]

    def shard(self, shard: Path) -> list[Row | Broken]:
        found = []
        for sample in samples(shard, list(self.labels)):
            row = self._row(encoded(str(shard), sample.data, sample.offset), sample.key, sample.wnid)
            found.append(row._replace(path=f"{shard}: {sample.key}") if isinstance(row, Broken) else row)
        return found

    def _row(self, found: Encoded | Broken, stem: str, wnid: str) -> Row | Broken:
        if isinstance(found, Broken):
            return found
        size = found.width, found.height
        boxes = self.find(wnid, stem, size)
        place = found.offset, found.size, found.checksum
        return Row(found.path, f"{wnid}/{stem}", self.labels[wnid], wnid, *size, boxes, *place)


def _shards_alone(images: Path, labels: Path | None) -> list[Path]:
    """Raises InputError for shards with pictures or labels beside them."""
    shards = find_shards(images)
    if shards and labels:
        raise InputError(f"{labels}: the shards of {images} hold their own labels; leave these out")
    for path in images.iterdir() if shards else ():
        if path.suffix.lower() in SUFFIXES or (path.is_dir() and pictures_in(path)):
            raise InputError(f"{images}: both shards, such as {shards[0].name}, and {path.name}; keep one kind")
    return shards


def _chunks(pictures: list[Picture], workers: int) -> list[list[Picture]]:
    """Enough of them that every worker has some, and none of more than BATCH."""
    size = max(1, min(BATCH, len(pictures) // (4 * workers)))
    return [pictures[start : start + size] for start in range(0, len(pictures), size)]
