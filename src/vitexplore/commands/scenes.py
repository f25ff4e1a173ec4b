"""Render the first scenes of a split into a folder that every experiment reads."""

import argparse
import hashlib
from pathlib import Path

import numpy as np

from vitexplore.data.scene_sets import scene_set
from vitexplore.data.scenes import SPLITS, WORLD
from vitexplore.io import write_atomically, write_json, write_text
from vitexplore.provenance import versions


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--split", choices=sorted(SPLITS), required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder for images.parquet, pixels.npz, ...")


def run(args: argparse.Namespace) -> None:
    scenes = scene_set(args.split, args.count, args.workers)
    pixels, masks, table = scenes.pixels, scenes.masks, scenes.table
    digest = hashlib.sha256(pixels.tobytes() + masks.tobytes() + table.to_json().encode()).hexdigest()
    args.out.mkdir(parents=True, exist_ok=True)
    write_atomically(args.out / "pixels.npz", lambda path: np.savez(path, pixels=pixels, masks=masks))
    write_atomically(args.out / "images.parquet", lambda path: table.to_parquet(path, index=False))
    write_text(args.out / "classes.txt", "\n".join(scenes.classes) + "\n")
    provenance = {"kind": "scenes", "world": WORLD, "split": args.split, "count": args.count}
    write_json(args.out / "provenance.json", provenance | {"hash": digest, "libraries": versions()})
