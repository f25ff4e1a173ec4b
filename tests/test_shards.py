"""WebDataset shards: what is read, that any picture is had again by a seek, and what is refused."""

import hashlib
import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitexplore.data.images import ImageSet
from vitexplore.data.photos import imagenet_wnids, index_photos
from vitexplore.data.shards import count_pictures, samples
from vitexplore.errors import InputError

WNIDS = imagenet_wnids()


def encoded(seed: int, form: str = "JPEG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def shard(path: Path, *members: tuple[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def two_samples(path: Path) -> Path:
    return shard(path, ("a.jpg", encoded(1)), ("a.cls", b"7"), ("b.jpg", encoded(2)), ("b.cls", b"3"))


def refused(message: str, path: Path) -> None:
    with pytest.raises(InputError, match=message) as error:
        list(samples(path, WNIDS))
    assert "\n" not in str(error.value) and str(error.value).startswith(str(path))


def test_samples_are_read_with_every_kind_of_label_and_picture(tmp_path):
    path = shard(
        tmp_path / "0.tar",
        ("train/a.JPEG", encoded(1)),
        ("train/a.cls", b"7\n"),
        ("b.cls", b"n01443537"),
        ("b.png", encoded(2, "PNG")),
        ("c.jpeg", encoded(3)),
        ("c.json", json.dumps({"label": 999, "width": 30}).encode()),
        ("d.jpg", encoded(4)),
        ("d.json", json.dumps({"label": WNIDS[5]}).encode()),
        ("d.cls", b"6"),
        ("e.txt", b"no picture"),
        ("readme", b"no suffix"),
    )
    found = list(samples(path, WNIDS))
    assert [(sample.key, sample.wnid) for sample in found] == [
        ("a", WNIDS[7]),
        ("b", "n01443537"),
        ("c", WNIDS[999]),
        ("d", WNIDS[6]),
    ]
    assert count_pictures(path) == 4
    whole = path.read_bytes()
    for sample, data in zip(found, [encoded(1), encoded(2, "PNG"), encoded(3), encoded(4)], strict=True):
        assert sample.data == data == whole[sample.offset : sample.offset + len(data)]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.jpg", b"x")], r"a has no label: put it in a\.cls, or as label in a\.json"),
        ([("a.jpg", b"x"), ("a.json", b"{}")], "a has no label"),
        ([("a.jpg", b"x"), ("a.json", b"[1]")], "a has no label"),
        ([("a.jpg", b"x"), ("a.json", b"{")], "a has no label"),
        ([("a.jpg", b"x"), ("a.cls", b"1000")], "a: ImageNet-1k has no class '1000'; give 0 to 999 or a WordNet id"),
        ([("a.jpg", b"x"), ("a.cls", b"n99999999")], "a: ImageNet-1k has no class 'n99999999'"),
        ([("a.jpg", b"x"), ("a.png", b"x"), ("a.cls", b"1")], "a has 2 pictures, jpg and png; keep one"),
        ([("a.jpg", b"x"), ("a.cls", b"1"), ("a.jpg", b"y")], r"a\.jpg comes twice; make the shard again"),
        ([("a.jpg", b"x"), ("a.cls", b"1"), ("a.cls", b"2")], r"a\.cls: duplicate file name .*; make the shard again"),
    ],
)
def test_samples_that_are_wrong_are_refused(tmp_path, members, message):
    refused(message, shard(tmp_path / "0.tar", *members))


@pytest.mark.parametrize("left", [100, 700, 512 * 2, -1])
def test_a_shard_cut_short_is_refused(tmp_path, left):
    """Inside a header, inside a picture, and where one member ends and the next begins."""
    path = two_samples(tmp_path / "0.tar")
    with tarfile.open(path) as archive:
        boundary = archive.getmember("b.jpg").offset
    path.write_bytes(path.read_bytes()[: left if left > 0 else boundary])
    refused("cut short.*; copy it again", path)
    with pytest.raises(InputError, match="cut short"):
        count_pictures(path)


def test_what_is_no_tar_file_is_refused(tmp_path):
    (tmp_path / "0.tar").write_bytes(b"no tar file " * 100)
    refused("not a plain tar file, or cut short", tmp_path / "0.tar")
    (tmp_path / "0.tar").write_bytes(b"")
    refused("not a plain tar file, or cut short", tmp_path / "0.tar")


def test_a_shard_that_is_gone_is_named(tmp_path):
    refused(r"0\.tar cannot be read: No such file", tmp_path / "0.tar")


# --- the index


def test_files_flat_files_and_shards_of_the_same_pictures_have_the_same_index(tmp_path):
    pictures = {f"p{i}": (WNIDS[9 - i // 2], encoded(i)) for i in range(6)}
    for name, (wnid, data) in pictures.items():
        for path in (tmp_path / f"folders/{wnid}/{name}.JPEG", tmp_path / f"flat/{name}.JPEG"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(wnid for wnid, _ in pictures.values()))
    members = [(f"{n}.{e}", d) for n, (w, data) in pictures.items() for e, d in (("jpg", data), ("cls", w.encode()))]
    shard(tmp_path / "shards/0.tar", *members[:8])
    shard(tmp_path / "shards/1.tar", *members[8:])
    tables = {
        "folders": index_photos(tmp_path / "folders", None, 2)[0],
        "flat": index_photos(tmp_path / "flat", None, 2, labels)[0],
        "shards": index_photos(tmp_path / "shards", None, 2)[0],
    }
    for table in tables.values():
        said = table.drop(columns=["path", "offset"])
        assert said.equals(tables["folders"].drop(columns=["path", "offset"]))
        assert list(table["name"]) == sorted(f"{wnid}/{name}" for name, (wnid, _) in pictures.items())
        images = pickle.loads(pickle.dumps(ImageSet(table, tuple(WNIDS))))  # as a loader's worker has it
        for index, (name, checksum) in enumerate(zip(table["name"], table["checksum"], strict=True)):
            data = pictures[name.partition("/")[2]][1]
            assert np.array_equal(images.image(index), Image.open(io.BytesIO(data)))
            assert checksum == int.from_bytes(hashlib.sha256(data).digest()[:8], "big", signed=True)


def test_a_broken_picture_in_a_shard_is_listed(tmp_path):
    data = encoded(1)
    shard(tmp_path / "0.tar", ("a.jpg", data), ("a.cls", b"1"), ("b.jpg", data[: len(data) // 2]), ("b.cls", b"1"))
    table, broken = index_photos(tmp_path, None, 1, expected=2)
    assert list(table["name"]) == [f"{WNIDS[1]}/a"]
    assert list(broken["path"]) == [f"{tmp_path / '0.tar'}: b"]
    assert "truncated" in broken["reason"].iloc[0].lower()


def test_boxes_of_a_shards_pictures_are_found_by_key(tmp_path):
    two_samples(tmp_path / "shards/0.tar")
    (tmp_path / "boxes.csv").write_text(f"ImageId,PredictionString\nb,{WNIDS[3]} 1 2 3 4\n")
    table, _ = index_photos(tmp_path / "shards", tmp_path / "boxes.csv", 1)
    assert dict(zip(table["name"], table["boxes"], strict=True)) == {
        f"{WNIDS[3]}/b": [[1, 2, 3, 4]],
        f"{WNIDS[7]}/a": [],
    }


def test_a_shard_written_over_is_noticed(tmp_path):
    path = two_samples(tmp_path / "0.tar")
    images = ImageSet(index_photos(tmp_path, None, 1)[0], tuple(WNIDS))
    shard(path, ("b.jpg", encoded(2)), ("b.cls", b"3"), ("a.jpg", encoded(1)), ("a.cls", b"7"))
    with pytest.raises(InputError, match=r"0\.tar has changed since it was indexed; run again with --forcerun index"):
        images.image(1)


def test_shards_stand_alone(tmp_path):
    two_samples(tmp_path / "0.tar")
    with pytest.raises(InputError, match="hold their own labels; leave these out"):
        index_photos(tmp_path, None, 1, tmp_path / "labels.txt")
    (tmp_path / WNIDS[0]).mkdir()
    assert len(index_photos(tmp_path, None, 1)[0]) == 2
    (tmp_path / WNIDS[0] / "x.JPEG").write_bytes(encoded(3))
    with pytest.raises(InputError, match=r"both shards, such as 0\.tar, and n01440764; keep one kind"):
        index_photos(tmp_path, None, 1)


def test_other_counts_than_expected_are_refused(tmp_path):
    two_samples(tmp_path / "0.tar")
    two_samples(tmp_path / "1.tar")
    with pytest.raises(InputError, match="4 pictures, expected 1281167; correct the folder or the scale"):
        index_photos(tmp_path, None, 2, expected=1281167)
    with pytest.raises(InputError, match="pictures of 2 classes, expected 1000; there is none of n01440764, n01443537"):
        index_photos(tmp_path, None, 2, classes=1000)
