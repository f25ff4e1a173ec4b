"""Render the first scenes of a split into a folder that every experiment reads."""

import argparse
import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from vitexplore.data.captions import caption
from vitexplore.data.scenes import SIZE, SPLITS, WORLD, Scene, draw_split, sample
from vitexplore.data.shapes import CLASSES
from vitexplore.io import write_atomically, write_json, write_text
from vitexplore.provenance import versions


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--split", choices=sorted(SPLITS), required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder for images.parquet, pixels.npz, ...")


def factors(scene: Scene) -> dict:
    """A scene as one row of a table."""
    row = asdict(scene)
    del row["placements"], row["noise"]
    return row | {"category": scene.category, "count": scene.count, "caption": caption(scene)}


def run(args: argparse.Namespace) -> None:
    pixels, masks, boxes = draw_split(args.split, args.count, args.workers)
    scenes = [sample(args.split, index) for index in range(args.count)]
    table = pd.DataFrame([factors(scene) for scene in scenes])
    table["name"] = [f"{args.split}-{index}" for index in range(args.count)]
    table["path"], table["width"], table["height"] = "", SIZE, SIZE
    table["boxes"] = [box.tolist() for box in boxes]
    digest = hashlib.sha256(pixels.tobytes() + masks.tobytes() + table.to_json().encode()).hexdigest()
    args.out.mkdir(parents=True, exist_ok=True)
    write_atomically(args.out / "pixels.npz", lambda path: np.savez(path, pixels=pixels, masks=masks))
    write_atomically(args.out / "images.parquet", lambda path: table.to_parquet(path, index=False))
    write_text(args.out / "classes.txt", "\n".join(CLASSES) + "\n")
    provenance = {"kind": "scenes", "world": WORLD, "split": args.split, "count": args.count}
    write_json(args.out / "provenance.json", provenance | {"hash": digest, "libraries": versions()})
