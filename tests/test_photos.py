"""A folder of photographs: what is read, what is listed as broken, what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitexplore.data.images import ImageSet, preprocess
from vitexplore.data.photos import imagenet_wnids, index_photos
from vitexplore.errors import InputError
from vitexplore.models.registry import ModelSpec

WNID = "n01443537"  # goldfish, class 1
VOC = "<annotation>{}</annotation>"
BOX = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"


def picture(width=40, height=30, mode="RGB"):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "images" / WNID
    images.mkdir(parents=True)
    picture().save(images / "good.JPEG")
    return images


def annotate(folder: Path, stem: str, *objects: tuple) -> Path:
    boxes = folder.parent.parent / "boxes"
    (boxes / WNID).mkdir(parents=True, exist_ok=True)
    (boxes / WNID / f"{stem}.xml").write_text(VOC.format("".join(BOX.format(*o) for o in objects)))
    return boxes


def test_class_comes_from_the_folder_in_imagenets_order(folder):
    table, broken = index_photos(folder.parent, None, 1)
    assert list(table["label"]) == [1]
    assert broken.empty
    assert len(imagenet_wnids()) == 1000 and imagenet_wnids() == sorted(imagenet_wnids())


def test_grey_and_cmyk_are_converted(folder):
    picture(mode="L").save(folder / "grey.JPEG")
    picture(mode="CMYK").save(folder / "print.JPEG")
    table, broken = index_photos(folder.parent, None, 2)
    assert len(table) == 3 and broken.empty
    images = ImageSet(table, tuple(imagenet_wnids()))
    assert [images.image(i).mode for i in range(3)] == ["RGB"] * 3
    transform = preprocess(ModelSpec("m", "timm", "a", "cnn", "random", input_size=16, mean=(0,) * 3, std=(1,) * 3,
                                     interpolation="bicubic", crop=0.875))  # fmt: skip
    assert transform(images.image(1)).shape == (3, 16, 16)


def test_broken_pictures_are_listed_with_the_reason(folder):
    whole = (folder / "good.JPEG").read_bytes()
    (folder / "cut.JPEG").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.JPEG").write_bytes(b"")
    (folder / "text.JPEG").write_text("not a picture")
    picture(width=1).save(folder / "narrow.JPEG")
    table, broken = index_photos(folder.parent, None, 2)
    assert list(table["name"]) == [f"{WNID}/good"]
    reasons = {Path(path).stem: reason for path, reason in broken.itertuples(index=False)}
    assert set(reasons) == {"cut", "empty", "text", "narrow"}
    assert "truncated" in reasons["cut"]
    assert reasons["empty"] == "the file is empty"
    assert reasons["narrow"] == "only 1 x 30 pixels"


def test_only_boxes_of_the_true_class_count(folder):
    boxes = annotate(folder, "good", (WNID, 5, 6, 20, 25), ("n01440764", 0, 0, 40, 30))
    table, _ = index_photos(folder.parent, boxes, 1)
    assert table["boxes"].iloc[0] == [[5, 6, 20, 25]]
    mask = ImageSet(table, ()).mask(0)
    assert mask.shape == (30, 40) and mask.sum() == 15 * 19 and mask[6:25, 5:20].all()


def test_picture_without_an_annotation_has_no_boxes(folder):
    boxes = annotate(folder, "another", (WNID, 5, 6, 20, 25))
    table, _ = index_photos(folder.parent, boxes, 1)
    assert not ImageSet(table, ()).has_boxes.any()


@pytest.mark.parametrize("box", [(5, 6, 41, 25), (-1, 6, 20, 25), (20, 6, 5, 25), (5, 6, 20, 31)])
def test_box_outside_its_image_is_refused(folder, box):
    boxes = annotate(folder, "good", (WNID, *box))
    with pytest.raises(InputError, match=r"good\.xml: box .* outside its image of 40 x 30"):
        index_photos(folder.parent, boxes, 1)


def test_annotation_that_is_no_annotation_is_refused(folder):
    boxes = annotate(folder, "good")
    (boxes / WNID / "good.xml").write_text("<annotation><object>")
    with pytest.raises(InputError, match=r"good\.xml: not a Pascal VOC"):
        index_photos(folder.parent, boxes, 1)


def test_class_that_no_model_knows_is_refused(folder):
    (folder.parent / "n99999999").mkdir()
    picture().save(folder.parent / "n99999999" / "x.JPEG")
    with pytest.raises(InputError, match="no class 'n99999999'"):
        index_photos(folder.parent, None, 1)


def test_missing_and_empty_folders_are_refused(tmp_path, folder):
    with pytest.raises(InputError, match="nowhere: no such folder; put images"):
        index_photos(tmp_path / "nowhere", tmp_path / "no boxes either", 1)
    with pytest.raises(InputError, match="no boxes either: no such folder of boxes"):
        index_photos(folder.parent, tmp_path / "no boxes either", 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        index_photos(tmp_path / "empty", None, 1)


def test_picture_that_vanishes_is_named(folder):
    table, _ = index_photos(folder.parent, None, 1)
    (folder / "good.JPEG").unlink()
    with pytest.raises(InputError, match=r"good\.JPEG cannot be read any more"):
        ImageSet(table, ()).image(0)
