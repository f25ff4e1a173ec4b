"""What a user can mend: the one exception for it, and the name that was probably meant."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Wrong input: a message of one line that names the culprit and the mend. The command line prints it
    without a traceback and exits with 2."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of ``known`` that is most like ``name``, or all where none is like it."""
    known = list(known)
    return " or ".join(difflib.get_close_matches(name, known, n=1) or known)
