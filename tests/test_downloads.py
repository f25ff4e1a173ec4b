"""Public files: fetched whole or not at all, gone on from, checked, unpacked; from a server that fails in every way."""

import hashlib
import io
import json
import re
import resource
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from file_server import Fault, FileServer, serving
from project import ROOT, copy_of_project, said, snakemake

from vitexplore.data import downloads as module
from vitexplore.data.downloads import Download, download, read_list
from vitexplore.errors import InputError
from vitexplore.graph import Graph
from vitexplore.scale import read

BODY = bytes(range(256)) * 40
CUT = 3000
MEMBERS = {"pictures/0/a.txt": b"a" * 2000, "pictures/1/b.txt": b"b" * 2000}


@pytest.fixture
def server(monkeypatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(module, "CHUNK", 10)
    with serving() as found:
        found.files["plain.bin"] = BODY
        yield found


class Fetcher(NamedTuple):
    server: FileServer
    folder: Path
    slept: list[float]

    def entry(self, file: str = "plain.bin", **changes: Any) -> Download:
        known = {"bytes": len(self.server.files[file]), "sha256": sum_of(self.server.files[file])} | changes
        return Download(name="it", url=f"{self.server.address}/{file}", licence="-", citation="-", **known)

    def __call__(self, file: str = "plain.bin", mirror: str | None = None, **changes: Any) -> Path:
        download(self.entry(file, **changes), self.folder, mirror, self.slept.append)
        return self.folder / file

    def refused(self, message: str, **changes: Any) -> None:
        with pytest.raises(InputError, match=message) as error:
            self(**changes)
        assert "\n" not in str(error.value)


@pytest.fixture
def fetch(server, tmp_path) -> Fetcher:
    return Fetcher(server, tmp_path / "downloads", [])


def sum_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as opened:
        for name, body in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            opened.addfile(member, io.BytesIO(body))
    return packed.getvalue()


def flipped(body: bytes, at: int) -> bytes:
    changed = bytearray(body)
    changed[at] ^= 1
    return bytes(changed)


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, body in members.items():
            opened.writestr(name, body)
    return packed.getvalue()


# --- fetching


def test_a_file_and_its_record_are_there_and_nothing_else(fetch):
    assert fetch().read_bytes() == BODY
    record = json.loads((fetch.folder / "it.json").read_text())
    assert record == {"url": fetch.entry().url, "bytes": len(BODY), "sha256": sum_of(BODY)}
    assert names(fetch.folder) == {"plain.bin", "it.json"}
    fetch()
    assert len(fetch.server.asked) == 1


def test_a_download_that_is_cut_off_goes_on_where_it_stopped(fetch):
    fetch.server.faults = [Fault(cut=CUT)]
    assert fetch().read_bytes() == BODY
    assert fetch.server.asked == [("plain.bin", None), ("plain.bin", f"bytes={CUT}-")]
    assert fetch.slept == [1]


@pytest.mark.parametrize("known", [{}, {"bytes": None, "sha256": None}], ids=["listed", "unknown"])
@pytest.mark.parametrize("left", [CUT, len(BODY)], ids=["half", "whole"])
def test_the_next_start_goes_on_from_the_part_that_a_killed_one_left(fetch, left, known):
    fetch.folder.mkdir()
    (fetch.folder / "plain.bin.part").write_bytes(BODY[:left])
    assert fetch(**known).read_bytes() == BODY
    assert all(wanted == f"bytes={left}-" for _, wanted in fetch.server.asked)
    assert names(fetch.folder) == {"plain.bin", "it.json"}


def test_a_server_without_ranges_sends_all_of_it_again(fetch):
    fetch.server.ranges = False
    fetch.server.faults = [Fault(cut=CUT)]
    assert fetch().read_bytes() == BODY


def test_a_part_that_is_longer_than_the_file_is_dropped(fetch):
    fetch.folder.mkdir()
    for known in ({}, {"bytes": None}):
        (fetch.folder / "plain.bin.part").write_bytes(BODY + b"more")
        fetch(**known).unlink()


def test_many_cuts_are_no_failure_as_long_as_each_attempt_brings_something(fetch):
    fetch.server.faults = [Fault(cut=10)] * (2 * module.ATTEMPTS)
    assert fetch().read_bytes() == BODY
    assert set(fetch.slept) == {1}


def test_a_busy_server_is_asked_again_after_the_time_that_it_asks_for(fetch):
    fetch.server.faults = [Fault(429, ("Retry-After", "7")), Fault(503), Fault(503, ("Retry-After", "soon"))]
    assert fetch().read_bytes() == BODY
    assert fetch.slept == [7, 2, 4]


def test_a_server_that_asks_for_hours_is_not_waited_for(fetch):
    fetch.server.faults = [Fault(429, ("Retry-After", "7200"))]
    fetch.refused(r"cannot be downloaded: 429 Too Many Requests; start again later \(it asks to wait 7200 s\)")
    assert fetch.slept == [] and names(fetch.folder) == set()


def test_no_network_is_one_line_after_some_attempts(fetch, monkeypatch):
    mirror = "http://127.0.0.1:9"  # discard: nothing listens there
    fetch.refused(rf"{mirror}/plain.bin cannot be downloaded: .*refused; start again later, copy ", mirror=mirror)
    assert fetch.slept == [1, 2, 4, 8, 16]


def test_a_file_that_is_not_there_is_named(fetch):
    fetch.server.faults = [Fault(404)]
    fetch.refused(r"http://.*/plain.bin cannot be downloaded: 404 Not Found; correct .*, or name a place .*mirror=URL")
    assert names(fetch.folder) == set() and fetch.slept == []
    fetch()


def test_an_address_that_is_none_is_named(fetch):
    fetch.refused(r"^nowhere/plain.bin cannot be downloaded: .*; correct the address", mirror="nowhere")


def test_another_body_is_refused_and_removed(fetch):
    entry = fetch.entry()
    fetch.server.files["plain.bin"] = bytes(len(BODY))
    wrong = {"sha256": entry.sha256}
    fetch.refused(rf"plain.bin has the SHA-256 {sum_of(bytes(len(BODY)))}, not {entry.sha256}; start again", **wrong)
    assert names(fetch.folder) == set()
    fetch.server.files["plain.bin"] = BODY
    assert fetch().read_bytes() == BODY


def test_another_size_is_refused_before_anything_is_written(fetch):
    fetch.refused(rf"plain.bin has {len(BODY)} bytes, not 5; correct workflow/downloads.yaml", bytes=5)
    assert names(fetch.folder) == set()


def test_a_sum_that_the_list_does_not_know_holds_from_the_first_download_on(fetch):
    unknown = {"bytes": None, "sha256": None}
    file = fetch(**unknown)
    file.write_bytes(b"changed")
    fetch.refused(rf"plain.bin has the SHA-256 .*, not {sum_of(BODY)}; delete it and start again", **unknown)
    file.unlink()
    fetch.server.files["plain.bin"] = b"changed"
    fetch.refused(rf"plain.bin has the SHA-256 {sum_of(b'changed')}, not {sum_of(BODY)}", **unknown)


def test_a_mirror_has_the_same_file_names(fetch):
    entry = fetch.entry().model_copy(update={"url": "https://example.org/far/away/plain.bin"})
    fetch.server.files["mirrored/plain.bin"] = BODY
    download(entry, fetch.folder, f"{fetch.server.address}/mirrored/", fetch.slept.append)
    assert fetch.server.asked == [("mirrored/plain.bin", None)]


def test_a_file_that_will_not_fit_is_not_begun(fetch, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 2000))
    fetch.refused(r"downloads: 0 MB are to come, and 0 MB are free; make room, or name another folder: .*store=DIR")
    assert names(fetch.folder) == set()


def test_a_disk_that_fills_up_is_gone_on_from(fetch):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (CUT, before[1]))
    try:
        fetch.refused("downloads: File too large; make room, or name another folder")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert names(fetch.folder) == {"plain.bin.part"}
    assert fetch().read_bytes() == BODY
    assert fetch.server.asked[1] == ("plain.bin", f"bytes={CUT}-")


# --- unpacking

PACKED = {"it.tar.gz": tar(MEMBERS), "plain.tar.gz": tar(MEMBERS, "w"), "it.zip": zipped(MEMBERS)}


@pytest.mark.parametrize("file", PACKED)
def test_an_archive_is_unpacked_once(fetch, file):
    fetch.server.files[file] = PACKED[file]
    fetch(file)
    assert {str(path.relative_to(fetch.folder / "it")) for path in (fetch.folder / "it").rglob("*.txt")} == set(MEMBERS)
    assert names(fetch.folder) == {file, "it", "it.json"}
    (fetch.folder / "it/pictures/0/a.txt").write_bytes(b"mine")
    fetch(file)
    assert (fetch.folder / "it/pictures/0/a.txt").read_bytes() == b"mine"


@pytest.mark.parametrize("file", ["it.tar.gz", "it.zip"])
def test_unpacking_goes_on_where_it_was_stopped(fetch, file):
    fetch.server.files[file] = PACKED[file]
    whole, half = MEMBERS
    part = fetch.folder / f".it.{sum_of(PACKED[file])[:12]}.part"
    for name, body in ((whole, b"A" * len(MEMBERS[whole])), (half, MEMBERS[half][:5])):
        (part / name).parent.mkdir(parents=True)
        (part / name).write_bytes(body)
    fetch(file)
    assert (fetch.folder / "it" / whole).read_bytes() == b"A" * len(MEMBERS[whole])  # was there, so it was not written
    assert (fetch.folder / "it" / half).read_bytes() == MEMBERS[half]


def test_another_archive_takes_the_place_of_what_was_unpacked(fetch):
    fetch.server.files["it.zip"] = PACKED["it.zip"]
    fetch("it.zip").unlink()
    fetch.server.files["it.zip"] = zipped({"other.txt": b"other"})
    fetch("it.zip")
    assert names(fetch.folder / "it") == {"other.txt"}


def test_a_tar_that_writes_outside_is_refused(fetch):
    fetch.server.files["it.tar.gz"] = tar({"../outside.txt": b"out"})
    fetch.refused(r"it.tar.gz cannot be unpacked: .*outside", file="it.tar.gz")
    assert not (fetch.folder / "outside.txt").exists() and not (fetch.folder / "it").exists()


def test_a_zip_writes_nothing_outside(fetch):
    fetch.server.files["it.zip"] = zipped({"../outside.txt": b"out", "/root.txt": b"root"})
    fetch("it.zip")
    assert names(fetch.folder) == {"it.zip", "it", "it.json"}
    assert names(fetch.folder / "it") == {"outside.txt", "root.txt"}


@pytest.mark.parametrize("file", PACKED)
def test_a_damaged_archive_is_named(fetch, file):
    body = PACKED[file]
    fetch.server.files[file] = (
        flipped(body, -6) if file == "it.tar.gz" else body[:-100] if file == "it.zip" else body[:1000]
    )
    fetch.refused(rf"{file} cannot be unpacked: .*; delete it and start again", file=file)
    assert names(fetch.folder) == {file}


# --- the list


def test_the_list_names_files_that_do_not_clash():
    entries = read_list(ROOT / "workflow/downloads.yaml")
    assert len({entry.file for entry in entries.values()}) == len(entries) >= 4
    assert all(re.search(r"\(\d{4}\).*arXiv:\d{4}\.\d{4}", entry.citation) for entry in entries.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "abc"}, "it.sha256: String should match"),
        ({"url": "ftp://here/it"}, "it.url: String should match"),
        ({"license": "MIT"}, "it.license: Extra inputs"),
        ({"bytes": 0}, "it.bytes: Input should be greater"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, changes, message):
    entry = {"url": "https://example.org/it.zip", "licence": "MIT", "citation": "-"} | changes
    (tmp_path / "list.yaml").write_text(yaml.safe_dump({"it": entry}))
    with pytest.raises(InputError, match=f"list.yaml: {message}"):
        read_list(tmp_path / "list.yaml")


def test_a_scale_that_names_an_unknown_file_is_told_the_nearest():
    scale = read(ROOT / "workflow/scales/smoke.yaml").model_copy(update={"downloads": ("imagenet2",)})
    with pytest.raises(InputError, match=r"downloads: no public file 'imagenet2'; did you mean imagenetv2\?"):
        _ = Graph(scale).downloads


# --- the workflow


@pytest.mark.slow
def test_the_folder_is_filled_from_a_mirror_and_copied_to_a_machine_without_a_network(server, tmp_path):
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for folder in (project, elsewhere):
        folder.mkdir()
        copy_of_project(folder)
    entry = {"url": "https://example.org/it.tar.gz", "licence": "-", "citation": "-"}
    (project / "workflow/downloads.yaml").write_text(yaml.safe_dump({"it": entry}))
    server.files["it.tar.gz"] = tar(MEMBERS)
    words = ["prefetch", "--configfile", "workflow/scales/smoke.yaml", "--config", "downloads=[it]"]
    done = snakemake(project, *words, f"mirror={server.address}")
    assert done.returncode == 0, said(done)[-3000:]
    assert (project / "downloads/it/pictures/0/a.txt").exists()
    shutil.copy(project / "workflow/downloads.yaml", elsewhere / "workflow")
    shutil.copytree(project / "downloads", elsewhere / "downloads")
    again = snakemake(elsewhere, *words, "--dry-run")
    assert "Nothing to be done" in said(again), said(again)[-3000:]
