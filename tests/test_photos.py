"""A folder of photographs: what is read, what is listed as broken, what is refused."""

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from vitexplore.data import index as listing
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import preprocess
from vitexplore.data.photos import imagenet_wnids, index_photos
from vitexplore.errors import InputError
from vitexplore.models.spec import ModelSpec

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


# --- many pictures


@pytest.mark.parametrize("per_class", [1, 2, None])
def test_the_first_of_each_class_by_name(folder, per_class):
    """A class of three pictures and one of two, of which the first is broken."""
    other = folder.parent / "n01440764"
    other.mkdir()
    for place, name in ((folder, "a"), (folder, "z"), (other, "b"), (other, "c")):
        picture().save(place / f"{name}.JPEG")
    (other / "b.JPEG").write_bytes(b"")
    table, broken = index_photos(folder.parent, None, 2, per_class=per_class)
    names = {"n01440764": ["c"], WNID: ["a", "good", "z"]}
    kept = {1: [[], ["a"]], 2: [["c"], ["a", "good"]], None: list(names.values())}[per_class]
    assert table["name"].tolist() == [f"{wnid}/{name}" for wnid, mine in zip(names, kept, strict=True) for name in mine]
    assert len(broken) == 1


def test_other_counts_than_expected_are_refused(folder):
    (folder / "empty.JPEG").write_bytes(b"")
    with pytest.raises(InputError, match="images: 2 pictures, expected 50000; correct the folder or the scale"):
        index_photos(folder.parent, None, 1, expected=50000)
    assert len(index_photos(folder.parent, None, 1, expected=2)[0]) == 1  # a broken picture is there, too
    with pytest.raises(InputError, match="pictures of 1 classes, expected 2; there is none of n01440764"):
        index_photos(folder.parent, None, 1, classes=2)


def test_every_picture_is_read_once_whatever_the_number_of_workers(folder, monkeypatch):
    for index in range(30):
        picture(width=20 + index).save(folder / f"{index}.JPEG")
    monkeypatch.setattr("vitexplore.data.photos.BATCH", 7)
    read = []
    whole = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.stem) or whole(path))
    tables = [index_photos(folder.parent, None, workers)[0] for workers in (1, 2, 16)]
    assert sorted(read) == sorted(3 * [path.stem for path in folder.iterdir()])
    assert all(table.equals(tables[0]) for table in tables)
    widths = {name.rpartition("/")[2]: width for name, width in zip(tables[0]["name"], tables[0]["width"], strict=True)}
    assert widths == {"good": 40} | {str(index): 20 + index for index in range(30)}


def test_a_few_wrong_boxes_among_many_are_left_out_with_a_warning(folder, monkeypatch, caplog):
    for index in range(9):
        picture().save(folder / f"{index}.JPEG")
        boxes = annotate(folder, str(index), (WNID, 5, 6, 20 if index else 50, 25))
    annotate(folder, "good", (WNID, 5, 6, 20, 25))
    with pytest.raises(InputError, match=r"0\.xml: box 5, 6, 50, 25 lies outside"):
        index_photos(folder.parent, boxes, 1)
    monkeypatch.setattr("vitexplore.data.boxes.WRONG_BOXES", 0.1)
    table, _ = index_photos(folder.parent, boxes, 1)
    assert len(table) == 10 and ImageSet(table, ()).has_boxes.sum() == 9
    assert "0.xml: box 5, 6, 50, 25 lies outside" in caplog.text
    annotate(folder, "1", (WNID, 5, 6, 50, 25))
    with pytest.raises(InputError, match=r"0\.xml: box .* correct the box \(and 1 more of 10 annotations\)"):
        index_photos(folder.parent, boxes, 1)


def test_a_picture_written_over_is_noticed(folder):
    images = ImageSet(index_photos(folder.parent, None, 1)[0], ())
    picture(width=41).save(folder / "good.JPEG")
    with pytest.raises(InputError, match=r"good\.JPEG has changed since it was indexed; .* --forcerun index"):
        images.image(0)


def test_a_folder_that_disappears_meanwhile_is_named(folder, monkeypatch):
    def gone(path: Path) -> bytes:
        shutil.rmtree(folder.parent, ignore_errors=True)
        raise FileNotFoundError(2, "No such file or directory", str(path))

    monkeypatch.setattr(Path, "read_bytes", gone)
    with pytest.raises(InputError, match="images disappeared while it was read; bring it back and run again"):
        index_photos(folder.parent, None, 1)


def test_a_picture_that_may_not_be_read_is_listed(folder):
    (folder / "lost.JPEG").symlink_to(folder / "nowhere.JPEG")
    table, broken = index_photos(folder.parent, None, 1)
    assert len(table) == 1
    assert broken.to_dict("records") == [{"path": str(folder / "lost.JPEG"), "reason": "No such file or directory"}]


def test_whatever_a_decoder_raises_the_run_goes_on(folder, monkeypatch):
    def fails(data: bytes) -> Image.Image:
        raise KeyError

    monkeypatch.setattr("vitexplore.data.encoded.decoded", fails)
    assert list(index_photos(folder.parent, None, 1)[1]["reason"]) == ["KeyError"]


# --- the index


@pytest.fixture
def indexed(folder, tmp_path):
    """Write the index of ``folder``; where it lies."""
    out, broken = tmp_path / "out", tmp_path / "tables/broken.csv"

    def run_with(**options) -> Path:
        listing.write_index(folder.parent, out, broken, **options)
        return out

    return run_with


def test_the_index_is_a_set_and_its_counts(folder, indexed):
    boxes = annotate(folder, "good", (WNID, 5, 6, 20, 25))
    picture(mode="L").save(folder / "bare.JPEG")
    (folder / "empty.JPEG").write_bytes(b"")
    out = indexed(boxes=boxes, expected=3, classes=1)
    images = ImageSet.read(out)
    assert len(images) == 2 and images.classes == tuple(imagenet_wnids())
    assert images.has_boxes.tolist() == [False, True]
    assert images.image(1).size == (40, 30)
    said = json.loads((out / "provenance.json").read_text())
    assert {key: said[key] for key in ("kind", "images", "broken", "with_boxes")} == {
        "kind": "photos", "images": 2, "broken": 1, "with_boxes": 1,
    }  # fmt: skip


def test_the_hash_is_of_the_pictures_and_not_of_where_they_lie(folder, indexed):
    def hashed() -> str:
        return json.loads((indexed() / "provenance.json").read_text())["hash"]

    first = hashed()
    assert hashed() == first
    table, _ = index_photos(folder.parent, None, 1)
    assert listing._hash(table.assign(path="elsewhere", offset=512)) == first
    assert listing._hash(table.assign(checksum=table["checksum"] + 1)) != first
    picture(width=41).save(folder / "good.JPEG")
    assert hashed() != first


@pytest.mark.parametrize(
    ("good", "broken", "stops"), [(1, 10, False), (1, 11, True), (10989, 11, False), (10988, 11, True)]
)
def test_more_than_ten_broken_pictures_and_a_thousandth_stop_the_run(folder, indexed, monkeypatch, good, broken, stops):
    root = folder.parent.parent
    table, _ = index_photos(folder.parent, None, 1)
    many = pd.DataFrame({"path": [f"{i}.JPEG" for i in range(broken)], "reason": "cut"})
    monkeypatch.setattr(listing, "index_photos", lambda *_: (table.loc[[0] * good].reset_index(drop=True), many))
    if stops:
        message = rf"{broken} of {good + broken} pictures are broken; mend those in .*broken\.csv"
        with pytest.raises(InputError, match=message):
            indexed()
        assert not (root / "out").exists()
    else:
        indexed()
    assert pd.read_csv(root / "tables/broken.csv").equals(many)


def test_a_full_disk_leaves_the_old_index(folder, indexed, monkeypatch):
    out = indexed()
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(self, path, **_) -> None:
        path.write_bytes(b"half of ")
        raise OSError(errno.ENOSPC, "No space left on device")

    picture().save(folder / "another.JPEG")
    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(InputError, match=r"out cannot be written to: .*No space left on device; make room there"):
        indexed()
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
