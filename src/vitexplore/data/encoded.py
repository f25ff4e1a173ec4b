"""Encoded pictures: where each one lies, how large it is, and which cannot be read."""

from pathlib import Path
from typing import NamedTuple

from PIL import UnidentifiedImageError

from vitexplore.data.images import checksum, decoded
from vitexplore.errors import InputError

MIN_SIDE = 8  # pixels; a picture narrower than that shows nothing


class Encoded(NamedTuple):
    """A picture that decodes: ``size`` bytes from ``offset`` on in the file ``path``; ``width`` and ``height`` in
    pixels."""

    path: str
    offset: int
    size: int
    checksum: int
    width: int
    height: int


class Broken(NamedTuple):
    path: str
    reason: str


def encoded(path: str, data: bytes, offset: int = 0) -> Encoded | Broken:
    """What ``data``, which lies at ``offset`` in ``path``, is."""
    if not data:
        return Broken(path, "the file is empty")
    try:
        width, height = decoded(data).size  # decodes all of it, so that a cut file is found here
    except UnidentifiedImageError:
        return Broken(path, "not a picture, or its head is broken")
    except Exception as error:  # Pillow's decoders raise all sorts on broken pictures
        return Broken(path, (str(error) or type(error).__name__).splitlines()[0])
    if min(width, height) < MIN_SIDE:
        return Broken(path, f"only {width} x {height} pixels")
    return Encoded(path, offset, len(data), checksum(data), width, height)


def encoded_file(root: Path, path: str) -> Encoded | Broken:
    """The picture in the file ``path`` below ``root``. Raises InputError where ``root`` is gone."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        if not root.is_dir():
            raise InputError(f"{root} disappeared while it was read; bring it back and run again") from error
        return Broken(path, error.strerror or str(error))
    return encoded(path, data)
