"""Public files: fetched once, checked, unpacked. Nothing here is about what they hold."""

import json
import logging
import shutil
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from gzip import BadGzipFile
from pathlib import Path
from typing import Annotated

import requests
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from vitexplore.errors import InputError
from vitexplore.io import sha256, write_json
from vitexplore.progress import meter

log = logging.getLogger(__name__)
ATTEMPTS = 6  # in a row that bring nothing
FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0  # seconds before another attempt; the first one doubles
TIMEOUT = 60  # seconds without a byte
CHUNK = 1 << 16  # bytes; of one that is cut off nothing is kept
MB = 1e6
BUSY = {408, 429, 500, 502, 503, 504}  # HTTP: another attempt may do
ARCHIVES = (".tar.gz", ".tar", ".zip")
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, BadGzipFile, zlib.error, EOFError)
ELSEWHERE = "or name a place that has the file: --config mirror=URL"


class Download(BaseModel):
    """An entry of the list. ``bytes`` and ``sha256`` are those of the file; None where its publisher does not say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern="^[a-z0-9_]+$")]
    url: Annotated[str, Field(pattern=r"^https?://.+/[\w.-]+$")]
    bytes: Annotated[int, Field(ge=1)] | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    licence: str
    citation: str

    @property
    def file(self) -> str:
        """The file's name, in the folder of downloads and at a mirror."""
        return self.url.rpartition("/")[2]


def read_list(path: Path) -> dict[str, Download]:
    """The entries of the YAML file ``path``, by name. Raises InputError for the first one that is wrong."""
    found = {}
    for name, entry in yaml.safe_load(path.read_text()).items():
        try:
            found[name] = Download(name=name, **entry)
        except ValidationError as error:
            worst = error.errors()[0]
            raise InputError(f"{path}: {name}.{'.'.join(map(str, worst['loc']))}: {worst['msg']}") from None
    return found


def download(
    entry: Download, folder: Path, mirror: str | None = None, sleep: Callable[[float], object] = time.sleep
) -> None:
    """Bring the file of ``entry`` into ``folder``, unpack an archive into a folder of the entry's name, and write
    ``<name>.json``: url, bytes, sha256. What is there already is checked, not fetched or unpacked again; what an
    interrupted run left is gone on from. ``mirror``: the URL of a folder with the same file.

    A file whose sum the list does not know must ever after have the sum of ``<name>.json``. Raises InputError where the
    file cannot be had, is another one, or does not fit on the disk; it then has not got its name."""
    record = folder / f"{entry.name}.json"
    kept = json.loads(record.read_text()) if record.exists() else {}
    if kept.get("url") != entry.url:
        kept = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file, digest = _file(entry, folder, mirror, entry.sha256 or kept.get("sha256"), sleep)
        unpacked = folder / entry.name
        if file.name.endswith(ARCHIVES) and not (unpacked.exists() and kept.get("sha256") == digest):
            _unpack(file, unpacked, digest)
        write_json(record, {"url": entry.url, "bytes": file.stat().st_size, "sha256": digest})
    except OSError as error:
        mend = "make room, or name another folder: --config store=DIR; what is there is gone on from"
        raise InputError(f"{folder}: {error.strerror or error}; {mend}") from error


def _file(
    entry: Download, folder: Path, mirror: str | None, wanted: str | None, sleep: Callable[[float], object]
) -> tuple[Path, str]:
    """The file and its SHA-256, which is ``wanted`` where that is known."""
    file = folder / entry.file
    if file.exists():
        digest = sha256(file)
        if wanted not in (None, digest):
            raise InputError(f"{file} has the SHA-256 {digest}, not {wanted}; delete it and start again")
        return file, digest
    address = f"{mirror.rstrip('/')}/{entry.file}" if mirror else entry.url
    part = file.with_name(f"{file.name}.part")
    _fetch(address, part, entry.bytes, sleep)
    digest = sha256(part)
    if wanted not in (None, digest):
        part.unlink()
        raise InputError(f"{address} has the SHA-256 {digest}, not {wanted}; start again, {ELSEWHERE}")
    part.replace(file)
    return file, digest


class _Passing(Exception):
    """A failure that another attempt may not have. ``wait``: seconds that the server asks for."""

    def __init__(self, reason: str, wait: float = 0) -> None:
        super().__init__(reason)
        self.wait = wait


def _fetch(address: str, part: Path, size: int | None, sleep: Callable[[float], object]) -> None:
    """Bring all of ``address`` to the file ``part``, in as many attempts as it takes: each goes on from what is there.
    Raises InputError when ATTEMPTS in a row brought nothing."""
    failures = 0
    while True:
        before = _size(part)
        try:
            return _receive(address, part, size)
        except _Passing as failure:
            failures = 1 if _size(part) > before else failures + 1
            wait = max(failure.wait, FIRST_WAIT * 2 ** (failures - 1))
            if failures == ATTEMPTS or wait > LONGEST_WAIT:
                asked = f" (it asks to wait {wait:.0f} s)" if wait > LONGEST_WAIT else ""
                mend = f"start again later{asked}, copy {part.parent} from a machine that has it, {ELSEWHERE}"
                raise InputError(f"{address} cannot be downloaded: {failure}; {mend}") from None
            log.info(f"{part.stem}: {failure}; another attempt in {wait:.0f} s")
        sleep(wait)


def _receive(address: str, part: Path, size: int | None) -> None:
    """Append to ``part`` what it lacks of ``address``."""
    have = _size(part)
    if have == size:
        return
    if size is not None and have > size:
        part.unlink()
        have = 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(address, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                if answer.headers.get("Content-Range") == f"bytes */{have}":
                    return
                part.unlink(missing_ok=True)
                raise _Passing("the part that is here does not fit")
            _raise_for_status(answer, address)
            if answer.status_code != requests.codes.partial_content:
                have = 0
            _append(answer, address, part, have, size)
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise _Passing(_reason(error)) from error
    except requests.RequestException as error:
        raise InputError(f"{address} cannot be downloaded: {_reason(error)}; correct the address") from error


def _raise_for_status(answer: requests.Response, address: str) -> None:
    said = f"{answer.status_code} {answer.reason}"
    if answer.status_code in BUSY:
        raise _Passing(said, _retry_after(answer))
    if not answer.ok:
        raise InputError(f"{address} cannot be downloaded: {said}; correct workflow/downloads.yaml, {ELSEWHERE}")


def _append(answer: requests.Response, address: str, part: Path, have: int, size: int | None) -> None:
    """Write the body of ``answer`` behind the first ``have`` bytes of ``part``. Raises InputError where the whole would
    not be of ``size``, if that is known, or does not fit on the disk."""
    left = answer.headers.get("Content-Length")
    if left is None:
        raise InputError(f"{address} does not say how large it is; {ELSEWHERE.removeprefix('or ')}")
    total = have + int(left)
    if size not in (None, total):
        raise InputError(f"{address} has {total} bytes, not {size}; correct workflow/downloads.yaml, {ELSEWHERE}")
    if (free := shutil.disk_usage(part.parent).free) < int(left):
        raise OSError(None, f"{int(left) / MB:.0f} MB are to come, and {free / MB:.0f} MB are free")
    with part.open("ab" if have else "wb") as file, meter(part.stem, int(left) / MB, "MB") as tell:
        for chunk in answer.iter_content(CHUNK):
            file.write(chunk)
            tell(len(chunk) / MB)


def _retry_after(answer: requests.Response) -> float:
    """Seconds, of the header in either of its forms; 0 where there is none that can be read."""
    try:
        return float(Retry(0).parse_retry_after(answer.headers.get("Retry-After", "0")))
    except InvalidHeader:
        return 0.0


def _reason(error: Exception) -> str:
    """The innermost cause, in one line: the libraries wrap it several times."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return str(error).splitlines()[0].rstrip(":") if str(error) else type(error).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _unpack(archive: Path, folder: Path, digest: str) -> None:
    """Fill ``folder`` from ``archive``, or not at all. Files that an interrupted run left whole are not written again;
    nothing is written outside."""
    part = folder.with_name(f".{folder.name}.{digest[:12]}.part")
    part.mkdir(exist_ok=True)
    try:
        (_unzip if archive.suffix == ".zip" else _untar)(archive, part)
    except DAMAGED as error:
        shutil.rmtree(part)
        raise InputError(f"{archive} cannot be unpacked: {_reason(error)}; delete it and start again") from error
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)


def _untar(archive: Path, folder: Path) -> None:
    what = f"{archive.name}: unpacking"
    with (
        archive.open("rb") as file,
        tarfile.open(fileobj=file) as opened,
        meter(what, _size(archive) / MB, "MB") as tell,
    ):
        read = 0
        for member in opened:
            if not _whole(folder / member.name, member.size):
                opened.extract(member, folder, filter="data")
            tell((file.tell() - read) / MB)
            read = file.tell()
        while opened.fileobj.read(CHUNK):  # to the end, where gzip has a sum of its own
            pass


def _unzip(archive: Path, folder: Path) -> None:
    what = f"{archive.name}: unpacking"
    with zipfile.ZipFile(archive) as opened, meter(what, _size(archive) / MB, "MB") as tell:
        for member in opened.infolist():
            if not _whole(folder / member.filename, member.file_size):
                opened.extract(member, folder)
            tell(member.compress_size / MB)


def _whole(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
