"""Where the object of each picture is: boxes from Pascal VOC annotations or from Kaggle's CSV."""

import logging
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from vitexplore.data.layouts import read_solution
from vitexplore.errors import InputError

log = logging.getLogger(__name__)
Boxes = list[list[float]]  # left, top, right, bottom in pixels
Size = tuple[int, int]  # a picture's width and height in pixels
# from class, file name without suffix and size: the boxes of that class, or in one line what is wrong with them
Finder = Callable[[str, str, Size], Boxes | str]
VOC_LAYOUTS = ("{wnid}/{stem}.xml", "{stem}.xml", "train/{wnid}/{stem}.xml", "val/{stem}.xml")
SIDES = ("xmin", "ymin", "xmax", "ymax")
WRONG_BOXES = 0.001  # of the annotated pictures: common readers of ImageNet's boxes skip a few that enclose nothing


def box_finder(boxes: Path | None, names: Mapping[str, frozenset[str]]) -> Finder:
    """A finder in ``boxes``: Kaggle's CSV, or a folder of Pascal VOC annotations as ``<wnid>/*.xml``, flat (ImageNet's
    validation pictures), or both below ``train`` and ``val`` (Kaggle's Annotations/CLS-LOC). ``names`` is what a class
    may be called beside its WordNet id, in lower case: ImageNet calls many dogs ``Scottish_deerhound``, not
    ``n02092002``. A picture without annotation has no boxes; with None none has. Raises InputError where ``boxes`` is
    missing or holds no annotation."""
    if boxes is None:
        return lambda wnid, stem, size: []
    if boxes.is_file():
        return partial(_kaggle_boxes, boxes, read_solution(boxes))
    if not boxes.is_dir():
        raise InputError(f"{boxes}: no such folder of boxes; leave it out to run without")
    layouts = [layout for layout in VOC_LAYOUTS if any(boxes.glob(layout.format(wnid="*", stem="*")))]
    if not layouts:
        raise InputError(f"{boxes}: no annotations; expected <WordNet id>/*.xml or *.xml in Pascal VOC form")
    return partial(_voc_boxes, boxes, layouts, names)


def _voc_boxes(
    folder: Path, layouts: list[str], names: Mapping[str, frozenset[str]], wnid: str, stem: str, size: Size
) -> Boxes | str:
    for layout in layouts:
        path = folder / layout.format(wnid=wnid, stem=stem)
        try:
            found = _parsed(path.read_bytes(), {wnid} | names.get(wnid, frozenset()), size)
        except FileNotFoundError:
            continue
        except (OSError, ElementTree.ParseError, TypeError, ValueError) as error:
            return f"{path}: not a Pascal VOC annotation: {error}; correct it"
        return inside(found, size, str(path))
    return []


def _parsed(text: bytes, names: set[str], size: Size) -> Boxes:
    """Boxes of the objects that have one of ``names``. Coordinates are of a picture of the annotation's own size, which
    for some is not ``size``: they are scaled to it."""
    root = ElementTree.fromstring(text)
    own = [
        float(root.findtext(f"size/{side}") or 0) or pixels
        for side, pixels in zip(("width", "height"), size, strict=True)
    ]
    found = []
    for item in root.iter("object"):
        corners = [float(item.findtext(f"bndbox/{side}")) for side in SIDES]
        if (item.findtext("name") or "").strip().lower() in names:
            found.append([corner * to / of for corner, to, of in zip(corners, size * 2, own * 2, strict=True)])
    return found


def _kaggle_boxes(path: Path, rows: Mapping[str, str], wnid: str, stem: str, size: Size) -> Boxes | str:
    words = rows.get(stem, "").split()
    where = f"{path}: {stem}"
    try:
        starts = [at for at in range(0, len(words), 5) if words[at] == wnid]
        found = [[float(word) for word in words[at + 1 : at + 5]] for at in starts]
    except ValueError as error:
        return f"{where}: {error}; expected a class and four numbers a box"
    if len(words) % 5:
        return f"{where}: {len(words)} words; expected a class and four numbers a box"
    return inside(found, size, where)


def inside(boxes: Boxes, size: Size, where: str) -> Boxes | str:
    """``boxes``, or in one line, which starts with ``where``, which of them lies outside a picture of ``size``."""
    for left, top, right, bottom in boxes:
        if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]):
            box = f"{left:g}, {top:g}, {right:g}, {bottom:g}"
            return f"{where}: box {box} lies outside its image of {size[0]} x {size[1]}; correct the box"
    return boxes


def tolerate(wrong: list[str], annotated: int) -> None:
    """Warns of what is ``wrong``, a line a picture: these count as pictures without boxes. Raises InputError where they
    are more than WRONG_BOXES of the ``annotated`` pictures."""
    if len(wrong) > WRONG_BOXES * annotated:
        more = f" (and {len(wrong) - 1} more of {annotated} annotations)" if len(wrong) > 1 else ""
        raise InputError(min(wrong) + more)
    for reason in wrong:
        log.warning("%s; the picture counts as one without boxes", reason)
