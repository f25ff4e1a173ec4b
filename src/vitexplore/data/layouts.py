"""Where ImageNet's pictures lie, and which class each is of: class folders, or flat folders with a labels file or with
classes in the files' names."""

import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from vitexplore.data.class_names import check_names, classes_of_folders, classes_of_names
from vitexplore.errors import InputError

SUFFIXES = {".jpeg", ".jpg", ".png"}
KAGGLE = Path("ILSVRC/Data/CLS-LOC")  # below the folder that holds Kaggle's LOC_*_solution.csv
SOLUTION = ["ImageId", "PredictionString"]
LOOKED_AT = 2000  # files of a folder, at most, whose times `folder_state` takes


class Picture(NamedTuple):
    path: str
    wnid: str


def list_pictures(images: Path, labels: Path | None, wnids: Sequence[str]) -> list[Picture]:
    """Every picture below ``images``, sorted by class (one of ``wnids``, in the classifiers' order) and file name:
    class folders (see ``classes_of_folders``), or flat ``*.JPEG`` with ``labels`` (see ``flat_classes``) or with the
    class in each name (see ``classes_of_names``). Kaggle's flat validation folder finds its labels itself. Raises
    InputError for a folder that is missing, empty or laid out in both ways, a class that is not in ``wnids``, labels
    that are missing, do not fit, or are not needed, and a name that says another class than the labels or the index
    that its folder is named by."""
    flat, folders = flat_and_folders(images)
    classes = classes_of_folders(list(folders), wnids)
    if flat and folders:
        raise InputError(f"{images}: pictures both in class folders and beside them, such as {flat[0]}; keep one kind")
    if folders and labels:
        raise InputError(f"{labels}: the pictures of {images} lie in class folders; leave the labels out")
    if flat:
        return _flat_pictures(images, flat, labels or _kaggle_labels(images), wnids)
    if not folders:
        kaggle = images / KAGGLE
        mend = f"name {kaggle / 'train'} or {kaggle / 'val'}" if kaggle.is_dir() else "expected <WordNet id>/*.JPEG"
        raise InputError(f"{images}: no pictures in <WordNet id> folders, nor *.tar shards; {mend}")
    found = [Picture(path, wnid) for folder, wnid in classes for path in folders[folder]]
    if classes[0][0].name.isdecimal():
        check_names(found, "its folder's index")
    return found


def flat_and_folders(images: Path) -> tuple[list[str], dict[Path, list[str]]]:
    """Paths of the pictures that lie in ``images`` itself, and of those in each of its folders that holds some; all
    sorted. Raises InputError where there is no such folder."""
    if not images.is_dir():
        raise InputError(f"{images}: no such folder; put images/<WordNet id>/*.JPEG there or name another")
    folders = {entry: pictures_in(entry) for entry in sorted(images.iterdir()) if entry.is_dir()}
    return pictures_in(images), {folder: found for folder, found in folders.items() if found}


def check_count(images: Path, count: int, expected: int | None) -> None:
    """Raises InputError for other pictures than ``expected`` many; None for any number."""
    if expected is not None and count != expected:
        raise InputError(f"{images}: {count} pictures, expected {expected}; correct the folder or the scale")


def pictures_in(folder: Path) -> list[str]:
    """Paths, sorted."""
    return sorted(str(path) for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _flat_pictures(images: Path, paths: list[str], labels: Path | None, wnids: Sequence[str]) -> list[Picture]:
    if labels:
        classes = flat_classes(images, [Path(path).stem for path in paths], labels, wnids)
        check_names(list(zip(paths, classes, strict=True)), str(labels))
    else:
        classes = classes_of_names(paths, wnids)
    if classes is None:
        mend = "add labels=FILE, one class a line in file-name order, or for COCO instances=FILE"
        raise InputError(f"{images}: pictures without class folders; {mend}")
    return sorted(map(Picture, paths, classes), key=lambda picture: (picture.wnid, picture.path))


def _kaggle_labels(images: Path) -> Path | None:
    """The CSV that comes with Kaggle's flat validation pictures; None for any other flat folder."""
    folders = images.absolute().parents
    if folders[0].parts[-len(KAGGLE.parts) :] == KAGGLE.parts:
        return folders[len(KAGGLE.parts)] / f"LOC_{images.name}_solution.csv"
    return None


# --- labels of flat pictures


def flat_classes(images: Path, stems: Sequence[str], labels: Path, wnids: Sequence[str]) -> list[str]:
    """The class of each of ``stems`` (file names without suffix, in order), from the file ``labels``: lines
    of one class each, in the order of ``stems``; lines ``name class``; or Kaggle's CSV. A class is a WordNet id, or an
    index into ``wnids`` (see ``_class_ids``). Raises InputError for a file that is missing, names an unknown class, or
    has not exactly one line for each picture."""
    if not labels.is_file():
        raise InputError(f"{labels}: no such file of labels; correct its name, or copy it there")
    if labels.suffix == ".csv":
        rows = [(name, _only_class(labels, name, text)) for name, text in read_solution(labels).items()]
    else:
        rows = [tuple(line.split()) for line in labels.read_text("utf-8-sig", "replace").splitlines() if line.strip()]
    widths = {len(row) for row in rows}
    if widths not in ({1}, {2}):
        raise InputError(f"{labels}: lines are neither all of one class nor all of a picture's name and its class")
    if widths == {1} and len(rows) != len(stems):
        raise InputError(f"{labels}: {len(rows)} lines for {len(stems)} pictures in {images}; give one class a picture")
    classes = _class_ids([row[-1] for row in rows], wnids, labels)
    if widths == {1}:
        return classes
    by_stem = dict(zip((Path(row[0]).stem for row in rows), classes, strict=True))
    if len(by_stem) < len(rows):
        raise InputError(f"{labels}: {len(rows) - len(by_stem)} names come more than once; keep one line a picture")
    missing, surplus = set(stems) - set(by_stem), set(by_stem) - set(stems)
    for what, odd in (("no line for", missing), ("no picture for its line", surplus)):
        if odd:
            raise InputError(f"{labels}: {what} {min(odd)} ({len(odd)} such); it must name just what lies in {images}")
    return [by_stem[stem] for stem in stems]


def _class_ids(words: Sequence[str], wnids: Sequence[str], source: Path) -> list[str]:
    """WordNet ids as they are; numbers as indices into ``wnids``. Numbers without a 0 may be the ids of ILSVRC's
    development kit, which run from 1 and in another order, so they are refused."""
    if all(word.isdecimal() for word in words):
        indices = [int(word) for word in words]
        if min(indices) > 0 or max(indices) >= len(wnids):
            span = f"{min(indices)} to {max(indices)}"
            raise InputError(
                f"{source}: numbers {span} are not 0 to {len(wnids) - 1}, and may be ILSVRC ids; give WordNet ids"
            )
        return [wnids[index] for index in indices]
    known = set(wnids)
    for number, word in enumerate(words, 1):
        if word not in known:
            raise InputError(f"{source}: entry {number}: ImageNet-1k has no class {word!r}; correct it")
    return list(words)


def read_solution(path: Path) -> dict[str, str]:
    """Kaggle's CSV: ImageId to PredictionString, ``wnid left top right bottom`` (pixels) once or more. Raises
    InputError for other columns and for an ImageId that comes twice."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = list(csv.reader(file))
    if not rows or rows[0] != SOLUTION or any(len(row) != 2 for row in rows):
        raise InputError(f"{path}: not Kaggle's CSV of two columns, {','.join(SOLUTION)}; correct the file or its name")
    found = dict(rows[1:])
    if len(found) < len(rows) - 1:
        raise InputError(f"{path}: {len(rows) - 1 - len(found)} ImageIds come more than once; keep one row a picture")
    return found


def _only_class(labels: Path, name: str, text: str) -> str:
    classes = sorted(set(text.split()[::5]))
    if len(classes) != 1:
        raise InputError(f"{labels}: {name}: {len(classes)} classes {' '.join(classes)}; a label is just one")
    return classes[0]


# --- changes


def folder_state(roots: Iterable[Path]) -> str:
    """A hash of when anything was last added to, taken away from or renamed in ``roots`` (files, or folders of
    pictures, shards or class folders; they need not exist) and their folders, and of when their first LOOKED_AT files
    were last written. So a small set notices a file written over in place. A larger one does not: a look at a million
    files would take minutes each time. There ImageSet.image finds that a picture is not the one that was indexed."""
    digest = hashlib.sha256()
    for root in filter(Path.exists, roots):
        folders = [root, *_entries(root, os.DirEntry.is_dir)] if root.is_dir() else []
        files = chain.from_iterable(_entries(folder, os.DirEntry.is_file) for folder in folders)
        for path in [root, *folders, *islice(files, LOOKED_AT)]:
            digest.update(f"{path} {path.stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _entries(folder: Path, wanted: Callable[[os.DirEntry], bool]) -> list[Path]:
    """What of ``folder`` is ``wanted``, sorted; told by the listing alone, which looks at no file."""
    with os.scandir(folder) as entries:
        return sorted(Path(entry.path) for entry in entries if wanted(entry))
