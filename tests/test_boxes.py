"""Boxes of the object: Pascal VOC annotations in their layouts, and Kaggle's CSV."""

from pathlib import Path

import pytest

from vitexplore.data.boxes import box_finder
from vitexplore.data.photos import imagenet_names
from vitexplore.errors import InputError

WNID, OTHER = "n02092002", "n01440764"  # Scottish deerhound, tench
SIZE = (40, 30)


def voc(*objects: tuple, size: tuple[int, int] | None = None) -> str:
    head = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>" if size else ""
    body = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax>"
        f"<ymax>{bottom}</ymax></bndbox></object>"
        for name, left, top, right, bottom in objects
    )
    return f"<annotation>{head}{body}</annotation>"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def found(boxes: Path | None, stem: str = "a", wnid: str = WNID, size: tuple[int, int] = SIZE):
    return box_finder(boxes, {WNID: frozenset({"scottish_deerhound", "deerhound"})})(wnid, stem, size)


@pytest.mark.parametrize("layout", ["{wnid}/{stem}.xml", "{stem}.xml", "train/{wnid}/{stem}.xml", "val/{stem}.xml"])
def test_annotations_are_found_in_every_layout(tmp_path, layout):
    write(tmp_path / layout.format(wnid=WNID, stem="a"), voc((WNID, 1, 2, 3, 4), (WNID, 5, 6, 7, 8)))
    assert found(tmp_path) == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert found(tmp_path, "b") == []


def test_kaggles_train_and_val_are_read_together(tmp_path):
    write(tmp_path / f"train/{WNID}/a.xml", voc((WNID, 1, 2, 3, 4)))
    write(tmp_path / "val/b.xml", voc((WNID, 5, 6, 7, 8)))
    assert found(tmp_path, "a") == [[1, 2, 3, 4]]
    assert found(tmp_path, "b") == [[5, 6, 7, 8]]


def test_only_boxes_of_the_true_class_count_by_its_id_or_its_name(tmp_path):
    objects = [(WNID, 1, 1, 2, 2), ("Scottish_deerhound", 3, 3, 4, 4), (OTHER, 5, 5, 6, 6), ("cat", 7, 7, 8, 8)]
    write(tmp_path / "a.xml", voc(*objects))
    assert found(tmp_path) == [[1, 1, 2, 2], [3, 3, 4, 4]]
    assert found(tmp_path, wnid=OTHER) == [[5, 5, 6, 6]]


def test_names_are_imagenets():
    names = imagenet_names()
    assert len(names) == 1000
    assert names[WNID] == {"scottish_deerhound", "deerhound"}
    assert "tench" in names[OTHER]


def test_boxes_of_a_picture_of_another_size_are_scaled(tmp_path):
    write(tmp_path / "a.xml", voc((WNID, 10, 30, 80, 90), size=(80, 90)))
    assert found(tmp_path) == [[5, 10, 40, 30]]
    write(tmp_path / "a.xml", voc((WNID, 10, 20, 40, 30), size=SIZE))
    assert found(tmp_path) == [[10, 20, 40, 30]]
    write(tmp_path / "a.xml", voc((WNID, 10, 20, 40, 30), size=(0, 0)))  # some tools do not fill it in
    assert found(tmp_path) == [[10, 20, 40, 30]]


@pytest.mark.parametrize(
    "box", [(5, 6, 41, 25), (-1, 6, 20, 25), (20, 6, 5, 25), (5, 6, 20, 31), (5, 6, 5, 25), ("nan", 6, 20, 25)]
)
def test_a_box_outside_its_image_is_told(tmp_path, box):
    write(tmp_path / "a.xml", voc((WNID, *box)))
    told = found(tmp_path)
    assert isinstance(told, str) and "\n" not in told
    assert told.startswith(f"{tmp_path / 'a.xml'}: box ") and "outside its image of 40 x 30; correct the box" in told


@pytest.mark.parametrize(
    "text", ["", "<annotation><object>", voc((WNID, "left", 1, 2, 2)), "<annotation><object/></annotation>"]
)
def test_an_annotation_that_is_none_is_told(tmp_path, text):
    write(tmp_path / "a.xml", text)
    assert "a.xml: not a Pascal VOC annotation: " in found(tmp_path)


def test_without_boxes_no_picture_has_some():
    assert found(None) == []


def test_missing_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="none: no such folder of boxes; leave it out"):
        found(tmp_path / "none")
    with pytest.raises(InputError, match=r"no annotations; expected <WordNet id>/\*\.xml or \*\.xml"):
        found(tmp_path)


# --- Kaggle's CSV


def solution(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "LOC_train_solution.csv"
    path.write_text("\n".join(["ImageId,PredictionString", *rows]) + "\n")
    return path


def test_csv_boxes_of_the_true_class_count(tmp_path):
    path = solution(tmp_path, f"a,{WNID} 1 2 3 4 {OTHER} 5 6 7 8 {WNID} 9 10 11 12 ", f"b,{OTHER} 5 6 7 8")
    assert found(path) == [[1, 2, 3, 4], [9, 10, 11, 12]]
    assert found(path, "b") == []
    assert found(path, "c") == []


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (f"a,{WNID} 1 2 3 41", "box 1, 2, 3, 41 lies outside its image of 40 x 30"),
        (f"a,{WNID} 1 2 3", "4 words; expected a class and four numbers a box"),
        (f"a,{WNID} 1 2 3 4 {WNID}", "6 words; expected a class and four numbers a box"),
        (f"a,{WNID} 1 2 3 x", "could not convert string to float: 'x'; expected a class and four numbers a box"),
    ],
)
def test_csv_rows_that_are_wrong_are_told(tmp_path, row, told):
    path = solution(tmp_path, row)
    assert found(path).startswith(f"{path}: a: {told}")
