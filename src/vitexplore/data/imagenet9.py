"""ImageNet-9 of the backgrounds challenge (Xiao et al. 2021, "Noise or Signal"; GitHub MadryLab/backgrounds_challenge):
the same pictures with other foregrounds or backgrounds, in nine classes that join ImageNet's."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from vitexplore.data.encoded import Broken, encoded_file
from vitexplore.data.images import ImageSet
from vitexplore.data.layouts import check_count, pictures_in
from vitexplore.errors import InputError
from vitexplore.progress import track

IMAGENET = 1000  # classes
# ImageNet's classes of each of the nine, by index: the challenge's in_to_in9.json. Some that one would look for are of
# none: Italian greyhound and whippet (171, 172), the domestic cats (281 to 285).
IMAGENET_CLASSES: dict[str, tuple[int, ...]] = {
    "dog": (*range(151, 171), *range(173, 269)),
    "bird": (*range(7, 25), *range(87, 101), *range(127, 147)),
    "wheeled vehicle": (
        *(407, 408, 428, 436, 444, 468, 511, 547, 555, 561, 565, 569, 573, 586, 603, 609, 612, 627, 656, 661, 665),
        *(670, 671, 675, 690, 705, 717, 734, 751, 757, 791, 802, 803, 817, 820, 829, 847, 864, 866, 867, 870, 880),
    ),
    "reptile": tuple(range(33, 69)),
    "carnivore": (*range(269, 281), *range(286, 300), *range(356, 363), 387, 388),
    "insect": tuple(range(300, 327)),
    "musical instrument": (
        *(401, 402, 420, 432, 486, 494, 513, 541, 546, 558, 566, 577, 579, 593, 594, 641, 642, 683, 684, 687, 699),
        *(776, 822, 875, 881, 889),
    ),
    "primate": tuple(range(365, 385)),
    "fish": (*range(7), *range(389, 398)),
}
CLASSES = tuple(IMAGENET_CLASSES)
FOLDERS = tuple(f"{label:02d}_{name}" for label, name in enumerate(CLASSES))
# which variant shows what of an original, in the order of `index_imagenet9`: all of it; the foreground, cut out along
# its pixels, on black; the background, with black over the object's box
SHOWN = {"full": "original", "foreground": "only_fg", "background": "only_bg_b"}
# of a mixed picture: whose foreground it has, and whose background
MIXED = re.compile(r"fg_(?P<foreground>.+)_bg_.+")


def nine_way(logits_bc: Tensor) -> Tensor:
    """From logits of ImageNet's 1,000 classes to ten, float [b, 10]: for each of the nine the largest of its classes'
    logits, and last the largest of all other classes. The largest of the ten is the challenge's answer: its code
    (``eval_model`` of tools/model_utils.py) maps the class of the largest logit, and one that is of none of the nine
    counts as wrong. Raises InputError for another number of logits."""
    if logits_bc.shape[1] != IMAGENET:
        raise InputError(f"{logits_bc.shape[1]} logits; ImageNet-9's classes join those of ImageNet's {IMAGENET}")
    others = sorted(set(range(IMAGENET)).difference(*IMAGENET_CLASSES.values()))
    return torch.stack([logits_bc[:, mine].amax(1) for mine in (*map(list, IMAGENET_CLASSES.values()), others)], dim=1)


def index_imagenet9(
    root: Path, workers: int, expected: int | None = None, per_class: int | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The variants of SHOWN below ``root`` (see ``read_variants``), or of each class the first ``per_class`` by name:
    a table whose column ``condition`` says which, all originals first, then their foregrounds, then their backgrounds,
    each in the same order; and an empty table of broken ones (path, reason). Raises InputError as ``read_variants``
    does, and for originals that are not ``expected`` many."""
    found = read_variants(root, list(SHOWN.values()), workers, expected, per_class)
    parts = [found[variant].table.assign(condition=condition) for condition, variant in SHOWN.items()]
    return pd.concat(parts, ignore_index=True), pd.DataFrame(columns=Broken._fields)


def is_imagenet9(images: ImageSet) -> bool:
    """Whether they are as `index_imagenet9` lists them."""
    return "condition" in images.table


def read_variants(
    root: Path,
    variants: Sequence[str],
    workers: int = 1,
    expected: int | None = None,
    per_class: int | None = None,
) -> dict[str, ImageSet]:
    """The pictures of each of ``variants`` (``original``, ``only_fg``, ``only_bg_b``, ``mixed_same`` and so on) in
    ``<root>/<variant>/val/00_dog`` to ``08_fish``. All sets have the same order: image i of each is made of the same
    original, by file name (``n02085936_2693.JPEG``; of mixed pictures, ``fg_n02085936_2693_bg_n02088094_1003.JPEG``,
    the foreground's). ``label`` is an index into CLASSES, ``name`` the class and the original's name. With
    ``per_class`` the first so many of each class, by name.

    Raises InputError for a folder that is missing or of no class, a picture that cannot be read, two of one original,
    an original that not all variants have, and originals that are not ``expected`` many."""
    listed = {variant: _listed(root / variant / "val") for variant in variants}
    every = set(chain.from_iterable(listed.values()))
    for variant, found in listed.items():
        if missing := every - set(found):
            lost = f"no picture of {'/'.join(min(missing))} ({len(missing)} such), which another variant has"
            raise InputError(f"{root / variant}: {lost}; unpack it again or leave the variant out")
    check_count(root, len(every), expected)
    by_class = (sorted(key for key in every if key[0] == folder) for folder in FOLDERS)
    keys = [key for mine in by_class for key in mine[:per_class]]
    return {variant: _read(root / variant, keys, found, workers) for variant, found in listed.items()}


def _listed(folder: Path) -> dict[tuple[str, str], str]:
    """Paths by class folder and the original's name."""
    for name in FOLDERS:
        if not (folder / name).is_dir():
            raise InputError(f"{folder / name}: no such folder; unpack the backgrounds challenge's data there")
    found: dict[tuple[str, str], str] = {}
    for entry in sorted(filter(Path.is_dir, folder.iterdir())):
        if entry.name not in FOLDERS:
            raise InputError(f"{entry}: none of ImageNet-9's classes, {FOLDERS[0]} to {FOLDERS[-1]}; take it away")
        for path in pictures_in(entry):
            mixed = MIXED.fullmatch(Path(path).stem)
            key = entry.name, mixed["foreground"] if mixed else Path(path).stem
            if key in found:
                raise InputError(f"{path} and {Path(found[key]).name} are both of {key[1]}; keep one of them")
            found[key] = path
    return found


def _read(folder: Path, keys: list[tuple[str, str]], paths: dict[tuple[str, str], str], workers: int) -> ImageSet:
    with ThreadPoolExecutor(workers) as pool:
        read = pool.map(partial(encoded_file, folder), [paths[key] for key in keys])
        found = list(track(read, f"{folder}: reading", len(keys)))
    for picture in found:
        if isinstance(picture, Broken):
            raise InputError(f"{picture.path}: {picture.reason}; unpack it again")
    table = pd.DataFrame(found)
    table["label"] = [FOLDERS.index(name) for name, _ in keys]
    table["name"] = ["/".join(key) for key in keys]
    table["boxes"] = [[] for _ in keys]
    return ImageSet(table, CLASSES)
