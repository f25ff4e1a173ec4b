"""Readers see the old file or the new one."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from vitexplore.io import read_tables, sha256, write_atomically, write_json, write_table, write_tables


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_text("old")

    def half(temporary):
        temporary.write_text("ne")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_atomically(path, half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_first_write_that_fails_leaves_nothing(tmp_path):
    def half(temporary):
        temporary.write_text("ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "table.parquet", half)
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "deep" / "er" / "file.txt"
    write_atomically(path, lambda temporary: temporary.write_text("old"))
    assert path.read_text() == "old"

    def write(temporary):
        assert temporary.parent == path.parent  # a rename within one file system
        assert temporary.suffix == path.suffix  # numpy and pandas go by it
        temporary.write_text("new")
        assert path.read_text() == "old"

    write_atomically(path, write)
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_sha256_is_the_files_own(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(256)) * 5000)
    assert sha256(path) == hashlib.sha256(bytes(range(256)) * 5000).hexdigest()


def test_tables_come_back_with_their_provenance_as_plain_columns(tmp_path):
    paths = [tmp_path / f"{name}.parquet" for name in ("a", "b")]
    for number, path in enumerate(paths):
        table = pd.DataFrame({"rank": [number, number + 1]}, index=[7, 8])
        write_table(path, table, {"model": path.stem, "seed": number})
    whole = read_tables(paths)
    expected = pd.DataFrame({"rank": [0, 1, 1, 2], "model": ["a", "a", "b", "b"], "seed": [0, 0, 1, 1]})
    pd.testing.assert_frame_equal(whole, expected, check_dtype=False)


def test_tables_in_one_file_are_those_of_several_under_each_other(tmp_path):
    parts = [
        (pd.DataFrame({"rank": [3, 4], "filter": ["none", "disc"]}, index=[7, 7]), {"model": "b", "random": False}),
        (pd.DataFrame({"rank": [5], "filter": ["none"]}), {"model": "a", "random": True}),
    ]
    write_tables(tmp_path / "both.parquet", parts)
    for number, part in enumerate(parts):
        write_table(tmp_path / f"{number}.parquet", *part)
    both = read_tables([tmp_path / "both.parquet"])
    pd.testing.assert_frame_equal(both, read_tables([tmp_path / "0.parquet", tmp_path / "1.parquet"]))
    assert both["model"].tolist() == ["b", "b", "a"] and both["random"].tolist() == [False, False, True]


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "record.json"
    write_json(path, {"a": 1})
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_lists_come_back_as_arrays_of_their_type(tmp_path, kind):
    paths, rows = [tmp_path / f"{name}.parquet" for name in ("a", "b")], np.arange(12, dtype=kind).reshape(3, 4)
    for path in paths:
        write_table(path, pd.DataFrame({"at": range(3), "rank": list(rows)}), {"model": path.stem})
    found = read_tables(paths)
    assert found["model"].tolist() == ["a"] * 3 + ["b"] * 3
    for rank, wanted in zip(found["rank"], [*rows, *rows], strict=True):
        assert isinstance(rank, np.ndarray) and rank.dtype == kind and np.array_equal(rank, wanted)


def test_no_number_in_a_list_is_still_none(tmp_path):
    auroc = np.array([0.5, np.nan, 1.0], dtype=np.float32)
    write_table(tmp_path / "a.parquet", pd.DataFrame({"auroc": [auroc, auroc[:0]]}), {"model": "a"})
    found = read_tables([tmp_path / "a.parquet"])["auroc"]
    assert found[0].dtype == np.float32 and np.array_equal(found[0], auroc, equal_nan=True)
    assert len(found[1]) == 0
