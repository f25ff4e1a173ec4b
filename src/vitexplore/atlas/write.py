"""The files of an atlas: static pages, pictures, and scripts that register what the pages show.

A script calls ``atlas.add(name, value)``: a page that is opened from disk may load scripts and pictures, when they are
wanted, but no JSON. What a list needs of a block's features is one script; what their pages need is one for each SHARD
of them; so is what is said of each IMAGES images.
"""

import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vitexplore.atlas.claims import Decided, decided
from vitexplore.atlas.features import SCORES, TEXTS, Features
from vitexplore.atlas.firing import firing
from vitexplore.atlas.images import Images
from vitexplore.atlas.numbers import short
from vitexplore.atlas.sprites import shares, write_maps, write_sheet, write_thumbnail
from vitexplore.atlas.tables import arrays, folder, models
from vitexplore.errors import InputError
from vitexplore.figures.tables import collected_images, maps_of
from vitexplore.graph import Graph
from vitexplore.io import write_text
from vitexplore.png import decode

STATIC = Path(__file__).parent / "static"
SHARD, ACROSS, IMAGES = 64, 8, 256  # features, pictures beside each other in a sheet, images


def write_atlas(graph: Graph) -> None:
    """Write the atlas of a finished run into its folder. Raises InputError where the scale has nothing for one."""
    every = {name: Features(graph, name) for name in models(graph)}
    if not every:
        raise InputError(f"{graph.scale.scale}: no model takes part in collect and responses; give both options")
    out, claims = folder(graph), decided(graph)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(STATIC, out)
    images = Images(collected_images(graph))
    parts = [_Part(out, features, claims) for features in every.values()]
    for part in parts:
        part.write(every, images)
    shown = set().union(*(part.shown for part in parts), *(claim.shown() for claim in claims))
    _write_images(out, images, sorted(shown))
    _register(out, "catalog", _catalog(graph, parts, claims))


@dataclass
class _Part:
    """One model's part of the folder ``out``. Writing it fills in ``blocks``, what the catalog says of them, ``shown``,
    the images on its pages, and the ``scores`` and ``factors`` that some feature has."""

    out: Path
    mine: Features
    claims: Sequence[Decided]
    blocks: list[dict[str, Any]] = field(default_factory=list)
    shown: set[int] = field(default_factory=set)
    scores: set[str] = field(default_factory=set)
    factors: set[str] = field(default_factory=set)

    def write(self, every: Mapping[str, Features], images: Images) -> None:
        mine, name = self.mine, self.mine.model
        near = mine.near(every)
        deciding = {each.claim.name: each.features(mine.graph, name, mine.site) for each in self.claims}
        views = dict(arrays(mine.graph, "views", name))
        fires: dict[int, dict[str, Any]] = {int(image): {} for image in mine.viewed}
        self.shown |= set(fires)
        for site, block in mine.blocks:
            key = f"{site}_{block}"
            table, records = mine.table(site, block, images), list(mine.records(site, block, near))
            maps_fkhw = maps_of(mine.graph, name, site, block)
            most_f = maps_fkhw.reshape(len(table), -1).max(1).astype(np.float32)
            for record, most in zip(records, most_f, strict=True):
                record["most"] = short(most)
                self.shown |= _images_of(record)
            sheets = self._pictures(key, mine.pictures_of(site, block), records)
            self._maps("maps", key, shares(maps_fkhw, most_f))
            if key in views:
                shares_fnhw = shares(views[key].swapaxes(0, 1), most_f)
                self._maps("views", key, shares_fnhw)
                for number, of_image in enumerate(fires.values()):
                    of_image[key] = firing(shares_fnhw[:, number])
            for start in range(0, len(records), SHARD):
                _register(self.out, f"features/{name}/{key}_{start // SHARD}", records[start : start + SHARD])
            mine_decide = _deciding(deciding, site, block, len(table))
            _register(self.out, f"lists/{name}/{key}", _listed(table, records, mine_decide))
            about = {"site": site, "block": block, "features": len(table), "top": maps_fkhw.shape[1]}
            self.blocks.append(about | {"viewed": key in views, "drawn": sheets, "claims": list(mine_decide)})
            self.scores |= _scored(table)
            self.factors |= set(table["explained"]) - {""}
        for image, grids in fires.items():
            _register(self.out, f"firing/{name}/{image}", grids)

    def _maps(self, kind: str, key: str, shares_fkhw: np.ndarray) -> None:
        for start in range(0, len(shares_fkhw), SHARD):
            path = self.out / kind / self.mine.model / f"{key}_{start // SHARD}.webp"
            write_maps(path, shares_fkhw[start : start + SHARD])

    def _pictures(self, key: str, drawn: pd.DataFrame, records: Sequence[dict[str, Any]]) -> dict[str, int]:
        """Write the sheets of a block's visualizations; how many there are, by variant. Each record learns where its
        pictures stand: ``at``, a number among those of the variant."""
        counts = {}
        for variant, mine in drawn.groupby("variant", sort=False):
            pictures = [decode(png) for png in mine["picture"]]
            for start in range(0, len(pictures), SHARD):
                path = self.out / "pictures" / self.mine.model / f"{key}_{variant}_{start // SHARD}.webp"
                write_sheet(path, pictures[start : start + SHARD], ACROSS)
            for number, (feature, seed) in enumerate(zip(mine["feature"], mine["picture_seed"], strict=True)):
                of_variant = (each for each in records[feature]["pictures"] if each["variant"] == variant)
                next(each for each in of_variant if each["seed"] == seed)["at"] = number
            counts[str(variant)] = len(pictures)
        return counts

    def told(self) -> dict[str, Any]:
        spec = self.mine.graph.scale.models[self.mine.model]
        return {
            "name": spec.name,
            "architecture": f"{spec.source}/{spec.architecture}",
            "crop": self.mine.crop,
            "views": self.mine.viewed.tolist(),
            "blocks": self.blocks,
        }


def _images_of(record: Mapping[str, Any]) -> set[int]:
    found = set(record["top"][0])
    if "lowest" in record:
        found |= {*record["lowest"][0], *(image for _, image, _ in record["quantiles"])}
    return found


def _catalog(graph: Graph, parts: Sequence[_Part], claims: Sequence[Decided]) -> dict[str, Any]:
    """What all pages need: models and their blocks, scores, claims, how data and pictures are cut."""
    scored = set().union(*(part.scores for part in parts))
    return {
        "scale": graph.scale.scale,
        "models": [part.told() for part in parts],
        "scores": [
            {"name": name, "label": SCORES[name][0], "says": SCORES[name][1]} for name in SCORES if name in scored
        ],
        "factors": sorted(set().union(*(part.factors for part in parts))),
        "claims": [claim.told() for claim in claims],
        "first": _first(parts[0]),
        "shard": SHARD,
        "across": ACROSS,
        "images": IMAGES,
    }


def _first(part: _Part) -> dict[str, Any]:
    """The feature that an atlas opens on: of the middle of the first model, those that were visualized come first."""
    own = [block for block in part.blocks if block["site"] == part.mine.site]
    block = own[len(own) // 2]
    drawn = part.mine.pictures_of(block["site"], block["block"])
    alive = drawn[~drawn["dead"].astype(bool)]["feature"]
    at = {"model": part.mine.model, "site": block["site"], "block": block["block"]}
    return at | {"feature": int(alive.iloc[0]) if len(alive) else 0}


def _deciding(claims: Mapping[str, pd.DataFrame], site: str, block: int, count: int) -> dict[str, list[int] | str]:
    """By claim, the features of a block that decide it: ``all``, or which."""
    found: dict[str, list[int] | str] = {}
    for claim, table in claims.items():
        mine = table[(table["site"] == site) & (table["block"] == block)]["feature"]
        if len(mine):
            found[claim] = "all" if len(mine) == count else sorted(map(int, mine))
    return found


def _listed(
    table: pd.DataFrame, records: Sequence[dict[str, Any]], claims: dict[str, list[int] | str]
) -> dict[str, Any]:
    """By column, a value for each feature: what lists are searched, filtered and sorted by, and drawn with."""
    first = [record["pictures"][0] if "pictures" in record else None for record in records]
    return {
        "scores": {name: [short(value) for value in table[name]] for name in SCORES if name in _scored(table)},
        "texts": {name: list(table[name]) for name in TEXTS if (table[name] != "").any()},
        "drawn": [[picture["variant"], picture["at"]] if picture else 0 for picture in first],
        "best": [record["top"][0][0] for record in records],
        "dead": np.flatnonzero(table["dead"]).tolist(),
        "claims": claims,
    }


def _scored(table: pd.DataFrame) -> set[str]:
    """The scores that some feature of a block has."""
    return {name for name in SCORES if table[name].notna().any()}


def _write_images(out: Path, images: Images, shown: Sequence[int]) -> None:
    said: dict[int, dict[int, str]] = defaultdict(dict)
    for index in shown:
        write_thumbnail(out / "images" / f"{index}.webp", images.images.image(index))
        said[index // IMAGES][index] = images.told(index)
    for number, told in said.items():
        _register(out, f"images/{number}", told)


def _register(out: Path, name: str, value: Any) -> None:
    """Write the script that registers a value under its own place."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    write_text(out / f"{name}.js", f"atlas.add({json.dumps(name)},{text});\n")
