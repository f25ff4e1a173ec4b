"""Which of some numbers are meant: ``5``, ``0:12``, ``0,5,11``."""

from vitexplore.errors import InputError


def integers(text: str, count: int, option: str) -> tuple[int, ...]:
    """``5``, ``0:12`` (up to, not with, 12; either end may be left out) and lists of both, below ``count``, each once.
    Raises InputError, naming ``option``, for anything else."""
    found: list[int] = []
    for part in text.split(","):
        try:
            first, colon, last = part.partition(":")
            wanted = range(int(first or 0), min(int(last or count), count)) if colon else [int(first)]
        except ValueError:
            raise InputError(f"{option} {text!r}: write 5, or 0:12, or 0,5,11") from None
        if not wanted or not 0 <= wanted[0] < count:
            raise InputError(f"{option} {text!r}: there are 0 to {count - 1}")
        found += wanted
    return tuple(dict.fromkeys(found))
