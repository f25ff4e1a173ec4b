"""List a folder of photographs, with their classes and boxes, for every experiment to read."""

import argparse
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from vitexplore.data.photos import imagenet_wnids, index_photos
from vitexplore.errors import InputError
from vitexplore.io import write_atomically, write_json, write_text
from vitexplore.provenance import versions

log = logging.getLogger(__name__)
MOST_BROKEN = 10  # pictures; more than that stop the run when they are also
BROKEN_SHARE = 0.001  # of all pictures
PLACE = ["path", "offset"]  # where a picture lies is no part of what the data are
AT_ONCE = 10_000  # rows; another number is another hash


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photos", type=Path, required=True, help="folder with <WordNet id>/*.JPEG, *.JPEG or *.tar")
    parser.add_argument("--labels", type=Path, help="classes of flat pictures: a class a line, name and class, or CSV")
    parser.add_argument("--boxes", type=Path, help="folder with <WordNet id>/*.xml in Pascal VOC form, or Kaggle's CSV")
    parser.add_argument("--expected", type=int, help="refuse another number of pictures")
    parser.add_argument("--classes", type=int, help="refuse another number of classes")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder for images.parquet, classes.txt, ...")
    parser.add_argument("--broken", type=Path, required=True, help="CSV of pictures that cannot be read: path, reason")


def run(args: argparse.Namespace) -> None:
    table, broken = index_photos(args.photos, args.boxes, args.workers, args.labels, args.expected, args.classes)
    with _writing_to(args.broken.parent):
        write_atomically(args.broken, lambda path: broken.to_csv(path, index=False))
    every = len(broken) + len(table)
    if len(broken):
        log.warning("%d of %d pictures are broken: see %s", len(broken), every, args.broken)
    if table.empty:
        raise InputError(f"{args.photos}: every picture is broken; see {args.broken}")
    if len(broken) > max(MOST_BROKEN, BROKEN_SHARE * every):
        raise InputError(f"{args.photos}: {len(broken)} of {every} pictures are broken; mend those in {args.broken}")
    with_boxes = int((table["boxes"].str.len() > 0).sum())
    if args.boxes:
        log.info("%d of %d pictures have boxes; experiments on boxes leave the others out", with_boxes, len(table))
    counts = {"kind": "photos", "images": len(table), "broken": len(broken), "with_boxes": with_boxes}
    with _writing_to(args.out):
        write_atomically(args.out / "images.parquet", lambda path: table.to_parquet(path, index=False))
        write_text(args.out / "classes.txt", "\n".join(imagenet_wnids()) + "\n")
        write_json(args.out / "provenance.json", counts | {"hash": _hash(table), "libraries": versions()})


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
