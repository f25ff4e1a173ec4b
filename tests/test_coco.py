"""COCO's folder with its files: what is read of each picture, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitexplore.data.coco import index_coco
from vitexplore.data.images import ImageSet
from vitexplore.data.index import write_index
from vitexplore.data.loading import Loader
from vitexplore.errors import InputError
from vitexplore.figures.captions import caption_of
from vitexplore.figures.contact_sheet import draw

CATEGORIES = [
    {"id": 1, "name": "person", "supercategory": "person"},
    {"id": 17, "name": "cat", "supercategory": "animal"},
    {"id": 18, "name": "dog", "supercategory": "animal"},
]
CAT = {"image_id": 7, "category_id": 17, "bbox": [2, 1, 10, 8], "iscrowd": 0}
CAT |= {"segmentation": [[2, 1, 12, 1, 12, 9, 2, 9]]}
DOG = {"image_id": 7, "category_id": 18, "bbox": [20.5, 10, 19.5, 5], "iscrowd": 0}
DOG |= {"segmentation": [[21, 10, 40, 10, 40, 15, 21, 15]]}
CROWD = {"image_id": 9, "category_id": 1, "bbox": [0, 0, 4, 30], "iscrowd": 1}
CROWD |= {"segmentation": {"size": [30, 40], "counts": [0, 120, 1080]}}


@pytest.fixture
def coco(tmp_path):
    """Pictures 7 (a cat and a dog), 8 (nothing) and 9 (a group of people); the folder lacks picture 10."""
    (tmp_path / "val").mkdir()
    for number in (7, 8, 9):
        Image.new("RGB", (40, 30), (number, 0, 0)).save(tmp_path / f"val/{number:012d}.jpg")
    numbers = (9, 7, 10, 8)
    images = [{"id": n, "file_name": f"{n:012d}.jpg", "width": 40, "height": 30} for n in numbers]
    annotations = [DOG, CROWD, CAT, {**CAT, "image_id": 10}]
    write(tmp_path / "instances.json", images=images, annotations=annotations, categories=CATEGORIES)
    said = [(8, "A grey wall."), (7, "A cat and a dog.\n"), (7, "Two animals."), (10, "Nobody.")]
    write(tmp_path / "captions.json", images=images, annotations=[{"image_id": n, "caption": text} for n, text in said])
    return tmp_path


def write(path: Path, **keys) -> None:
    path.write_text(json.dumps(keys))


def changed(path: Path, change) -> None:
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def indexed(folder: Path, **options):
    return index_coco(folder / "val", folder / "instances.json", folder / "captions.json", 2, **options)


def refused(message: str, folder: Path, **options) -> None:
    with pytest.raises(InputError, match=message) as error:
        indexed(folder, **options)
    assert "\n" not in str(error.value)


def test_the_object_of_a_picture_is_the_union_of_its_objects(coco):
    images = ImageSet(indexed(coco, expected=3)[0], ())
    assert images.has_boxes.tolist() == [True, False, True]
    wanted = np.zeros((3, 30, 40), dtype=bool)
    wanted[0, 1:9, 2:12] = wanted[0, 10:15, 21:40] = wanted[2, :, :4] = True
    assert np.array_equal([images.mask(index) for index in range(3)], wanted)
    assert images.table["boxes"].tolist() == [[[20.5, 10, 40, 15], [2, 1, 12, 9]], [], [[0, 0, 4, 30]]]
    wanted[0, 10:15, 20] = True  # a box begins where it is rounded to
    assert np.array_equal([images.box_mask(index) for index in range(3)], wanted)
    assert Loader(images).with_boxes().indices.tolist() == [0, 2]


def test_captions_and_categories_are_lists_and_there_are_no_labels(coco):
    table = indexed(coco)[0]
    assert table["name"].tolist() == [f"{number:012d}" for number in (7, 8, 9)]
    assert table["category"].tolist() == [["cat", "dog"], [], ["person"]]
    assert table["supercategory"].tolist() == [["animal", "animal"], [], ["person"]]
    assert table["caption"].tolist() == [["A cat and a dog.", "Two animals."], ["A grey wall."], []]
    with pytest.raises(InputError, match="these images have no classes"):
        _ = ImageSet(table, ()).labels
    without, _ = index_coco(coco / "val", coco / "instances.json", None, 1)
    assert "caption" not in without and "label" not in without


def test_the_index_is_the_set_that_was_listed(coco):
    files = {"instances": coco / "instances.json", "captions": coco / "captions.json"}
    write_index(coco / "val", coco / "out", coco / "broken.csv", **files)
    images, listed = ImageSet.read(coco / "out"), ImageSet(indexed(coco)[0], ())
    assert images.classes == () and len(images) == 3
    for index in range(3):
        assert np.array_equal(images.mask(index), listed.mask(index))
        assert np.array_equal(images.box_mask(index), listed.box_mask(index))
        assert images.image(index).getpixel((0, 0)) == listed.image(index).getpixel((0, 0))
    assert json.loads((coco / "out/provenance.json").read_text())["with_boxes"] == 2


def test_sheets_show_a_caption_or_the_pictures_name(coco):
    images = ImageSet(indexed(coco)[0], ())
    wanted = ["A cat and a dog.", "A grey wall.", "000000000009"]
    assert [caption_of(images, index) for index in range(3)] == wanted
    assert [axis.get_title() for axis in draw(images).axes[:3]] == wanted


def test_broken_pictures_are_listed(coco):
    (coco / "val/000000000008.jpg").write_bytes(b"")
    table, broken = indexed(coco)
    assert len(table) == 2
    assert broken.to_dict("records") == [{"path": str(coco / "val/000000000008.jpg"), "reason": "the file is empty"}]


def first(**keys):
    return lambda found: found["annotations"][0].update(keys)


WRONG = [
    (first(bbox=[30, 10, 20, 5]), r"7\.jpg: objects: box 30, 10, 50, 15 lies outside its image of 40 x 30; correct it"),
    (first(segmentation=[[1, 2, 3, 4]]), r"7\.jpg: a polygon of 4 numbers; correct it"),
    (first(segmentation={"size": [40, 30], "counts": [1200]}), r"7\.jpg: a mask that is no polygon and not of 40 x 30"),
    (lambda found: found["images"][1].update(width=80), r"7\.jpg: annotated as 80 x 30 pixels, but it has 40 x 30"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_an_annotation_that_does_not_fit_its_picture_is_refused(coco, change, message):
    changed(coco / "instances.json", change)
    refused(message, coco)


def test_a_few_wrong_annotations_among_many_leave_their_pictures_without_an_object(coco, monkeypatch, caplog):
    changed(coco / "instances.json", first(bbox=[30, 10, 20, 5]))
    monkeypatch.setattr("vitexplore.data.boxes.WRONG_BOXES", 0.5)
    images = ImageSet(indexed(coco)[0], ())
    assert images.has_boxes.tolist() == [False, False, True] and not images.mask(0).any()
    assert "7.jpg: objects: box 30, 10, 50, 15 lies outside" in caplog.text


@pytest.mark.parametrize("width", [31.86, 31.87])
def test_a_box_that_passes_its_picture_by_rounding_ends_where_the_picture_does(coco, width):
    changed(coco / "instances.json", first(bbox=[8.14, 5, width, 5]))
    assert indexed(coco)[0]["boxes"][0][0] == [8.14, 5, 40, 10]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda found: found.pop("categories"),
            r"instances\.json: not COCO's instances_\*\.json: KeyError 'categories'",
        ),
        (lambda found: found["annotations"][0].pop("bbox"), "KeyError 'bbox'; correct the file or its name"),
        (first(image_id=99), "KeyError 99"),
        (lambda found: found["images"].pop(1), "KeyError 7"),
    ],
)
def test_a_file_that_is_not_cocos_is_refused(coco, change, message):
    changed(coco / "instances.json", change)
    refused(message, coco)


def test_files_that_are_missing_or_exchanged_are_refused(coco):
    (coco / "captions.json").write_text((coco / "instances.json").read_text())
    refused(r"captions\.json: not COCO's captions_\*\.json: KeyError 'caption'", coco)
    (coco / "captions.json").write_text("no JSON")
    refused(r"captions\.json: not COCO's captions_\*\.json: JSONDecodeError", coco)
    (coco / "captions.json").unlink()
    refused(r"captions\.json cannot be read: No such file or directory; correct its name", coco)


def test_pictures_that_do_not_belong_to_the_file_are_refused(coco):
    refused("val: 3 pictures, expected 5000", coco, expected=5000)
    Image.new("RGB", (40, 30)).save(coco / "val/000000000011.jpg")
    refused(r"000000000011\.jpg: .*instances\.json says nothing of it; name the file that belongs to the folder", coco)


def test_class_folders_and_empty_folders_are_refused(coco):
    (coco / "val/n01440764").mkdir()
    assert len(indexed(coco)[0]) == 3
    Image.new("RGB", (40, 30)).save(coco / "val/n01440764/a.jpg")
    refused(r"class folders, such as n01440764, but instances\.json is of pictures that lie flat", coco)
    (coco / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no pictures there; name the folder that instances\.json is of"):
        index_coco(coco / "empty", coco / "instances.json", None, 1)
