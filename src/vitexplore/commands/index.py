"""List a folder of photographs, with their classes and boxes, for every experiment to read."""

import argparse
import hashlib
import logging
from pathlib import Path

from vitexplore.data.photos import imagenet_wnids, index_photos
from vitexplore.errors import InputError
from vitexplore.io import sha256, write_atomically, write_json, write_text
from vitexplore.provenance import versions

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photos", type=Path, required=True, help="folder with <WordNet id>/*.JPEG")
    parser.add_argument("--boxes", type=Path, help="folder with <WordNet id>/*.xml in Pascal VOC form")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder for images.parquet, classes.txt, ...")
    parser.add_argument("--broken", type=Path, required=True, help="CSV of pictures that cannot be read: path, reason")


def run(args: argparse.Namespace) -> None:
    table, broken = index_photos(args.photos, args.boxes, args.workers)
    write_atomically(args.broken, lambda path: broken.to_csv(path, index=False))
    if len(broken):
        log.warning("%d of %d pictures are broken: see %s", len(broken), len(broken) + len(table), args.broken)
    if table.empty:
        raise InputError(f"{args.photos}: every picture is broken; see {args.broken}")
    digest = hashlib.sha256(table.drop(columns="path").to_json().encode())
    for path in table["path"]:
        digest.update(sha256(Path(path)).encode())
    args.out.mkdir(parents=True, exist_ok=True)
    write_atomically(args.out / "images.parquet", lambda path: table.to_parquet(path, index=False))
    write_text(args.out / "classes.txt", "\n".join(imagenet_wnids()) + "\n")
    with_boxes = int((table["boxes"].str.len() > 0).sum())
    counts = {"kind": "photos", "images": len(table), "broken": len(broken), "with_boxes": with_boxes}
    write_json(args.out / "provenance.json", counts | {"hash": digest.hexdigest(), "libraries": versions()})
