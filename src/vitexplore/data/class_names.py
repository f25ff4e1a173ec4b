"""Which class the name of a folder says, or the start of a file's name."""

import re
from collections.abc import Sequence
from pathlib import Path

from vitexplore.errors import InputError

PREFIX = re.compile(r"(n\d{8})_")


def classes_of_folders(folders: Sequence[Path], wnids: Sequence[str]) -> list[tuple[Path, str]]:
    """Each folder with its class, in the order of ``wnids``. Names are all WordNet ids, or all indices into ``wnids``
    (ImageNet-V2: ``0`` to ``999``), which count as numbers, not as text. Raises InputError for a name that is neither,
    for names of both kinds, and for two names of one class."""
    for folder in folders:
        if not folder.name.isdecimal() and folder.name not in wnids:
            raise InputError(f"{folder}: ImageNet-1k has no class {folder.name!r}; rename the folder or take it away")
    indices = [folder for folder in folders if folder.name.isdecimal()]
    others = [folder for folder in folders if not folder.name.isdecimal()]
    if indices and others:
        both = f"{indices[0].name} reads as an index of a class, {others[0].name} as a WordNet id"
        raise InputError(f"{folders[0].parent}: {both}; keep folders of one kind")
    labels = [int(folder.name) if indices else wnids.index(folder.name) for folder in folders]
    if labels and max(labels) >= len(wnids):
        wrong = f"{max(labels)} is no index of 0 to {len(wnids) - 1}, and may be an ILSVRC id"
        raise InputError(f"{folders[0].parent}: {wrong}; name the folders by WordNet ids")
    found: dict[int, Path] = {}
    for label, folder in sorted(zip(labels, folders, strict=True)):
        if label in found:
            raise InputError(f"{folder} and {found[label].name} both read as class {label}; keep one of them")
        found[label] = folder
    return [(folder, wnids[label]) for label, folder in found.items()]


def class_of_name(path: str) -> str | None:
    """The WordNet id before the first underscore of a file's name, as in ``n01440764_10026.JPEG``."""
    match = PREFIX.match(Path(path).name)
    return match[1] if match else None


def classes_of_names(paths: Sequence[str], wnids: Sequence[str]) -> list[str] | None:
    """The class that each file's name starts with; None where no name starts with one. Raises InputError where only
    some do, and for a class that is not in ``wnids``."""
    found = [class_of_name(path) for path in paths]
    if not any(found):
        return None
    known = set(wnids)
    for path, wnid in zip(paths, found, strict=True):
        if wnid is None:
            other = next(filter(class_of_name, paths))
            both = f"no WordNet id starts its name, but one starts {Path(other).name}"
            raise InputError(f"{path}: {both}; name all pictures alike, or add labels=FILE")
        if wnid not in known:
            raise InputError(f"{path}: ImageNet-1k has no class {wnid!r}; rename the picture or take it away")
    return found


def check_names(pictures: Sequence[tuple[str, str]], source: str) -> None:
    """Raises InputError for a picture (path, class) whose name starts with another WordNet id than the class that
    ``source`` says."""
    for path, wnid in pictures:
        said = class_of_name(path)
        if said is not None and said != wnid:
            raise InputError(f"{path}: of class {said} by its name, {wnid} by {source}; correct one of them")
