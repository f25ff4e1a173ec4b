"""Folders of ImageNet as users have them: class folders, flat with labels or with classes in the files' names,
Kaggle's; and how a change is noticed."""

import os
import re
from pathlib import Path

import pytest

from vitexplore.data.layouts import KAGGLE, LOOKED_AT, folder_state, list_pictures, read_solution
from vitexplore.data.photos import imagenet_wnids
from vitexplore.errors import InputError

WNIDS = ["n01440764", "n01443537", "n01484850", "n01491361"]  # the first four of ImageNet-1k


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"picture")
    return folder


def listed(images: Path, labels: Path | None = None) -> list[tuple[str, str]]:
    """(path below ``images``, class) of each picture."""
    return [(str(Path(path).relative_to(images)), wnid) for path, wnid in list_pictures(images, labels, WNIDS)]


def refused(message: str, images: Path, labels: Path | None = None) -> None:
    with pytest.raises(InputError, match=message) as error:
        list_pictures(images, labels, WNIDS)
    assert "\n" not in str(error.value)


# --- class folders


def test_class_folders_are_listed_by_class_and_name_whatever_the_suffix(tmp_path):
    files(tmp_path, "n01443537/b.JPEG", "n01443537/a.jpg", "n01440764/c.PNG", "n01440764/notes.txt")
    assert listed(tmp_path) == [
        ("n01440764/c.PNG", "n01440764"),
        ("n01443537/a.jpg", "n01443537"),
        ("n01443537/b.JPEG", "n01443537"),
    ]


def test_folders_that_are_no_classes_are_refused_only_where_they_hold_pictures(tmp_path):
    files(tmp_path, "n01443537/a.JPEG", "notes/a.txt")
    assert len(listed(tmp_path)) == 1
    files(tmp_path, "fish/a.JPEG")
    refused("fish: ImageNet-1k has no class 'fish'; rename the folder", tmp_path)


def test_pictures_beside_class_folders_are_refused(tmp_path):
    refused(r"both in class folders and beside them, such as .*b\.JPEG", files(tmp_path, "n01443537/a.JPEG", "b.JPEG"))


def test_labels_of_class_folders_are_refused(tmp_path):
    files(tmp_path, "images/n01443537/a.JPEG", "labels.txt")
    refused(r"labels\.txt: .* lie in class folders; leave the labels out", tmp_path / "images", tmp_path / "labels.txt")


# --- folders named by index, as ImageNet-V2 has them


def test_indices_are_numbers_in_the_classifiers_order_and_not_text(tmp_path):
    many = [f"n{number:08d}" for number in range(12)]
    files(tmp_path, *[f"{index}/a.jpeg" for index in (10, 9, 2, 1, 0)])
    found = [(Path(path).parent.name, wnid) for path, wnid in list_pictures(tmp_path, None, many)]
    assert found == [(str(index), many[index]) for index in (0, 1, 2, 9, 10)]


def test_all_thousand_folders_of_imagenet_v2_have_their_index_as_label(tmp_path):
    files(tmp_path, *[f"{index}/a.jpeg" for index in range(1000)])
    found = list_pictures(tmp_path, None, imagenet_wnids())
    assert [Path(path).parent.name for path, _ in found] == [str(index) for index in range(1000)]
    assert [wnid for _, wnid in found] == imagenet_wnids()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["0/a.JPEG", "n01443537/b.JPEG"],
            "0 reads as an index of a class, n01443537 as a WordNet id; keep folders of",
        ),
        (["1/a.JPEG", "4/b.JPEG"], "4 is no index of 0 to 3, and may be an ILSVRC id; name the folders by WordNet ids"),
        (["2/a.JPEG", "02/b.JPEG"], "2 and 02 both read as class 2; keep one of them"),
        (["0/a.JPEG", "fish/b.JPEG"], "fish: ImageNet-1k has no class 'fish'"),
        (["0/a.JPEG", "n01443537_1.JPEG"], "both in class folders and beside them, such as .*n01443537_1"),
        (
            ["0/n01443537_1.JPEG"],
            "of class n01443537 by its name, n01440764 by its folder's index; correct one of them",
        ),
    ],
)
def test_folders_that_can_be_read_in_two_ways_are_refused(tmp_path, names, message):
    refused(message, files(tmp_path, *names))


# --- flat folders with the class in each name


def test_a_wordnet_id_that_starts_each_name_is_the_class(tmp_path):
    files(tmp_path, "n01484850_7.JPEG", "n01440764_tench.JPEG", "n01440764_10026.jpg")
    assert listed(tmp_path) == [
        ("n01440764_10026.jpg", "n01440764"),
        ("n01440764_tench.JPEG", "n01440764"),
        ("n01484850_7.JPEG", "n01484850"),
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["n01440764_1.JPEG", "tench.JPEG"],
            r"tench\.JPEG: no WordNet id starts its name, but one starts n01440764_1\.JPEG; name all pictures alike",
        ),
        (["n01440764_1.JPEG", "n99999999_1.JPEG"], r"n99999999_1\.JPEG: ImageNet-1k has no class 'n99999999'; rename"),
        (["n01440764.JPEG"], "pictures without class folders; add labels=FILE"),  # no underscore: a name, not a prefix
    ],
)
def test_names_that_do_not_all_say_a_class_are_refused(tmp_path, names, message):
    refused(message, files(tmp_path, *names))


def test_labels_may_be_added_and_must_not_contradict_the_names(tmp_path):
    files(tmp_path / "val", "n01440764_1.JPEG", "x.JPEG")
    (tmp_path / "labels.txt").write_text("0\n1\n")
    assert listed(tmp_path / "val", tmp_path / "labels.txt") == [
        ("n01440764_1.JPEG", "n01440764"),
        ("x.JPEG", "n01443537"),
    ]
    (tmp_path / "labels.txt").write_text("1\n0\n")
    message = r"n01440764_1\.JPEG: of class n01440764 by its name, n01443537 by .*labels\.txt; correct one of them"
    refused(message, tmp_path / "val", tmp_path / "labels.txt")


# --- flat folders with labels


@pytest.fixture
def flat(tmp_path):
    """Pictures whose names come in another order than their classes."""
    return files(tmp_path / "val", "3.JPEG", "1.JPEG", "2.JPEG")


BY_CLASS = [("2.JPEG", "n01440764"), ("1.JPEG", "n01443537"), ("3.JPEG", "n01484850")]


@pytest.mark.parametrize(
    "text",
    [
        "n01443537\nn01440764\nn01484850\n",
        "1\n0\n2",
        "3.JPEG n01484850\n1.JPEG n01443537\n\n2.JPEG n01440764\n",
        "val/3.JPEG 2\nval/1.JPEG 1\nval/2.JPEG 0\n",
        "\ufeffn01443537\r\nn01440764\r\nn01484850\r\n",
    ],
)
def test_labels_are_ids_or_indices_in_file_name_order_or_beside_a_name(flat, tmp_path, text):
    (tmp_path / "labels.txt").write_text(text, encoding="utf-8", newline="")
    assert listed(flat, tmp_path / "labels.txt") == BY_CLASS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n01443537\nn01440764\n", "2 lines for 3 pictures in .*val; give one class a picture"),
        ("n01443537\nn01440764\nn99999999\n", "entry 3: ImageNet-1k has no class 'n99999999'"),
        ("n01443537\nn01440764\n2\n", "entry 3: ImageNet-1k has no class '2'"),
        ("1\n2\n3\n", "numbers 1 to 3 are not 0 to 3, and may be ILSVRC ids; give WordNet ids"),
        ("0\n2\n4\n", "numbers 0 to 4 are not 0 to 3"),
        ("n01443537\n2 n01440764\n3 n01440764\n", "lines are neither all of one class nor all of a picture's name"),
        ("", "lines are neither"),
        ("1 n01443537 x\n2 n01440764 x\n3 n01440764 x\n", "lines are neither"),
        ("1 n01443537\n2 n01440764\n", r"no line for 3 \(1 such\)"),
        ("1 n01443537\n2 n01440764\n3 n01440764\n4 n01440764\n", r"no picture for its line 4 \(1 such\)"),
        ("1 n01443537\n2 n01440764\n2 n01440764\n", "1 names come more than once"),
    ],
)
def test_labels_that_do_not_fit_are_refused(flat, tmp_path, text, message):
    (tmp_path / "labels.txt").write_text(text)
    refused(r"labels\.txt: " + message, flat, tmp_path / "labels.txt")


def test_flat_pictures_without_labels_are_refused(flat, tmp_path):
    refused("pictures without class folders; add labels=FILE", flat)
    refused(r"none\.txt: no such file of labels", flat, tmp_path / "none.txt")


def test_a_file_of_bytes_is_no_labels_file(flat, tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"\xff\xd8\xff\n\x00\xfe\n\x81\n")
    refused("ImageNet-1k has no class", flat, tmp_path / "labels.txt")


# --- Kaggle


def kaggle(tmp_path: Path, rows: str) -> Path:
    (tmp_path / "LOC_val_solution.csv").write_text("ImageId,PredictionString\n" + rows)
    return files(tmp_path / KAGGLE / "val", "v1.JPEG", "v2.JPEG")


def test_kaggles_validation_folder_finds_its_labels(tmp_path):
    val = kaggle(tmp_path, "v2,n01440764 1 2 3 4 \nv1,n01443537 5 6 7 8 n01443537 1 2 3 4 \n")
    assert listed(val) == [("v2.JPEG", "n01440764"), ("v1.JPEG", "n01443537")]


def test_kaggles_csv_may_be_named_for_any_flat_folder(tmp_path, flat):
    (tmp_path / "solution.csv").write_text(
        "ImageId,PredictionString\n1,n01443537 0 0 1 1\n2,n01440764 0 0 1 1\n3,n01484850 0 0 1 1\n"
    )
    assert listed(flat, tmp_path / "solution.csv") == BY_CLASS


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("v1,n01443537 5 6 7 8 n01440764 1 2 3 4\nv2,n01440764 1 2 3 4\n", "v1: 2 classes n01440764 n01443537"),
        ("v1,\nv2,n01440764 1 2 3 4\n", "v1: 0 classes"),
        ("v1,n01443537 1 2 3 4\n", "no line for v2"),
        ("v1,n01443537 1 2 3 4\nv1,n01443537 1 2 3 4\n", "1 ImageIds come more than once"),
    ],
)
def test_kaggles_csv_that_does_not_fit_is_refused(tmp_path, rows, message):
    refused(r"LOC_val_solution\.csv: " + message, kaggle(tmp_path, rows))


def test_kaggles_csv_has_its_two_columns(tmp_path):
    path = tmp_path / "x.csv"
    for text in ("", "name,class\na,b\n", "ImageId,PredictionString\na,b,c\n"):
        path.write_text(text)
        with pytest.raises(InputError, match="not Kaggle's CSV of two columns, ImageId,PredictionString"):
            read_solution(path)


def test_kaggles_root_is_told_its_folders(tmp_path):
    files(tmp_path / KAGGLE / "train", "n01440764/a.JPEG")
    refused(re.escape(f"name {tmp_path / KAGGLE / 'train'} or {tmp_path / KAGGLE / 'val'}"), tmp_path)
    assert listed(tmp_path / KAGGLE / "train") == [("n01440764/a.JPEG", "n01440764")]


# --- changes


def later(path: Path) -> None:
    now = path.stat()
    os.utime(path, ns=(now.st_atime_ns, now.st_mtime_ns + 10**9))


def test_state_changes_with_what_is_added_and_what_is_written_over(tmp_path):
    images = files(tmp_path / "images", "n01440764/a.JPEG", "n01443537/b.JPEG")
    labels = files(tmp_path, "labels.txt") / "labels.txt"
    roots = [images, labels, tmp_path / "none"]
    first = folder_state(roots)
    assert folder_state(roots) == first
    for path in (images / "n01443537/b.JPEG", labels, images / "n01440764"):
        before = folder_state(roots)
        later(path)
        assert folder_state(roots) != before
    before = folder_state(roots)
    files(images, "n01440764/c.JPEG")
    assert folder_state(roots) != before


def test_state_of_a_large_set_looks_at_some_files_and_at_every_folder(tmp_path, monkeypatch):
    images = files(tmp_path, *[f"n0144076{i}/{j}.JPEG" for i in range(3) for j in range(4)])
    monkeypatch.setattr("vitexplore.data.layouts.LOOKED_AT", 5)
    before = folder_state([images])
    later(images / "n01440762/3.JPEG")
    assert folder_state([images]) == before  # said in folder_state: ImageSet.image finds such a picture
    later(images / "n01440762")
    assert folder_state([images]) != before
    assert LOOKED_AT >= 1000
