"""WebDataset shards: tar files of ``<key>.jpg`` (or jpeg, png) beside ``<key>.cls`` or ``<key>.json``.

The library webdataset groups a shard's members into samples; where a picture's bytes lie is read off the tar's headers,
so that any picture can be had again by a seek.
"""

import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from webdataset.tariterators import base_plus_ext, group_by_keys, tar_file_expander

from vitexplore.errors import InputError

PICTURES = {"jpg", "jpeg", "png"}


class Sample(NamedTuple):
    key: str  # the picture's name without folders and suffix
    data: bytes  # the picture, encoded
    offset: int  # of ``data`` in the shard, in bytes
    wnid: str


def find_shards(images: Path) -> list[Path]:
    return sorted(images.glob("*.tar"))


def count_pictures(shard: Path) -> int:
    """From the headers alone. Raises InputError for a shard that is no tar file, cut short or gone."""
    return len(_places(shard))


def samples(shard: Path, wnids: Sequence[str]) -> Iterator[Sample]:
    """The samples with a picture, in the shard's order. A label is an index into ``wnids``, the classifiers' order, or
    one of them. Raises InputError for a shard that cannot be read or is cut short, a member that comes twice, and a
    sample with two pictures or whose label is missing or unknown."""
    places = _places(shard)
    for sample in _grouped(shard):
        key = sample["__key__"]
        found = sorted(PICTURES & set(sample))
        if len(found) > 1:
            raise InputError(f"{shard}: {key} has {len(found)} pictures, {' and '.join(found)}; keep one")
        if found:
            yield Sample(key.rpartition("/")[2], sample[found[0]], places[key, found[0]], _class(shard, sample, wnids))


def _grouped(shard: Path) -> Iterator[dict]:
    try:
        with shard.open("rb") as stream:
            yield from group_by_keys(tar_file_expander([{"url": str(shard), "stream": stream}]))
    except OSError as error:
        raise _unreadable(shard, error) from error
    except (tarfile.TarError, ValueError) as error:
        raise InputError(f"{shard}: {error.args[0]}; make the shard again") from error


def _unreadable(shard: Path, error: OSError) -> InputError:
    return InputError(f"{shard} cannot be read: {error.strerror or error}; bring it back or take it away")


def _places(shard: Path) -> dict[tuple[str, str], int]:
    """Offsets in bytes of the pictures, by key and suffix."""
    try:
        with tarfile.open(shard, "r:") as archive:
            members = archive.getmembers()
            archive.fileobj.seek(archive.offset)
            whole = archive.fileobj.read(tarfile.BLOCKSIZE) == tarfile.NUL * tarfile.BLOCKSIZE
    except OSError as error:
        raise _unreadable(shard, error) from error
    except tarfile.TarError as error:
        raise InputError(f"{shard}: not a plain tar file, or cut short: {error}; copy it again") from error
    if not whole:  # a tar file that is cut between two members reads well, but for the empty block at its end
        raise InputError(f"{shard}: cut short after {len(members)} members; copy it again")
    places = {}
    for member in members:
        key, suffix = base_plus_ext(member.name)
        if member.isreg() and key and suffix.lower() in PICTURES:
            if (key, suffix.lower()) in places:
                raise InputError(f"{shard}: {member.name} comes twice; make the shard again")
            places[key, suffix.lower()] = member.offset_data
    return places


def _class(shard: Path, sample: dict, wnids: Sequence[str]) -> str:
    key = sample["__key__"]
    try:
        label = sample["cls"].decode() if "cls" in sample else str(json.loads(sample["json"])["label"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{shard}: {key} has no label: put it in {key}.cls, or as label in {key}.json") from error
    label = label.strip()
    if label.isdecimal() and int(label) < len(wnids):
        return wnids[int(label)]
    if label in wnids:
        return label
    raise InputError(f"{shard}: {key}: ImageNet-1k has no class {label!r}; give 0 to {len(wnids) - 1} or a WordNet id")
