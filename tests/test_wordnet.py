"""WordNet's files against a folder written by hand, and what is known of ImageNet's classes."""

from pathlib import Path

import numpy as np
import pytest

from vitexplore.data import wordnet
from vitexplore.data.photos import imagenet_wnids
from vitexplore.data.wordnet import Synset, superclasses, synsets, tag_counts, wordnet_folder
from vitexplore.errors import InputError

LICENCE = "  1 This software and database is being provided to you, the LICENSEE  \n"
# thing > animal > living being > (dog > (hound, Rex), cat); thing > first bank > (dog, gull);
# thing > second bank > (cat, gull)
NOUNS = """\
00000001 03 n 01 thing 0 003 ~ 00000002 n 0000 ~ 00000007 n 0000 ~ 00000008 n 0000 | what there is
00000002 03 n 02 animal 0 Beast 1 002 @ 00000001 n 0000 ~ 00000003 n 0000 | moves; "an @ 00000008 n 0000 in a gloss"
00000003 03 n 01 living_being 0 001 @ 00000002 n 0000 | lives
00000004 05 n 01 dog 0 003 @ 00000003 n 0000 @ 00000007 n 0000 + 00000021 v 0101 | barks
00000005 05 n 01 hound 0 001 @ 00000004 n 0000 | hunts
00000006 05 n 01 Rex 0 001 @i 00000004 n 0000 | is one
00000007 17 n 01 bank 0 001 @ 00000001 n 0000 | of a river
00000008 14 n 01 bank 0 001 @ 00000001 n 0000 | for money
00000009 05 n 0a cat 0 b 0 c 0 d 0 e 0 f 0 g 0 h 0 i 0 j 0 002 @ 00000003 n 0000 @ 00000008 n 0000 | ten words in hex
00000010 05 n 01 gull 0 002 @ 00000007 n 0000 @ 00000008 n 0000 | flies
00000011 28 n 01 May 0 001 @ 00000001 n 0000 | a month
"""
VERBS = "00000021 35 v 01 dog 0 001 + 00000004 n 0101 01 + 08 00 | follow\n"
ADJECTIVES = "00000031 00 a 01 galore(ip) 0 000 | in plenty\n00000032 00 s 01 red 0 000 | of a colour\n"
SENSES = """\
dog%1:05:00:: 00000004 1 42
dog%2:35:00:: 00000021 1 2
galore%3:00:00:: 00000031 1 3
may%1:28:00:: 00000011 1 29
rex%1:05:00:: 00000006 1 0
red%5:00:00:coloured:00 00000032 1 5
"""
CLASSES = ["n00000005", "n00000006", "n00000009", "n00000010"]  # hound, Rex, cat, gull


@pytest.fixture
def written(tmp_path, monkeypatch) -> Path:
    """A tiny WordNet in place of the installed one."""
    for name, text in {"data.noun": NOUNS, "data.verb": VERBS, "data.adj": ADJECTIVES, "index.sense": SENSES}.items():
        (tmp_path / name).write_text(text if name == "index.sense" else LICENCE + text)
    monkeypatch.setattr(wordnet, "wordnet_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def imagenet() -> dict[str, np.ndarray]:
    try:
        wordnet_folder()
    except InputError as error:
        pytest.skip(str(error))
    return superclasses(imagenet_wnids(), 20, 400)


def holds(joined: np.ndarray, wnid: str) -> bool:
    return bool(joined[imagenet_wnids().index(wnid)])


def test_a_synset_has_its_lemmas_and_hypernyms_alone(written):
    """Neither the licence, nor hyponyms, other pointers or what a gloss says."""
    nouns = synsets(written, "noun")
    assert len(nouns) == 11
    assert nouns["00000002"] == Synset(("animal", "Beast"), ("00000001",))
    assert nouns["00000004"] == Synset(("dog",), ("00000003", "00000007"))


def test_an_instance_is_below_what_it_is_an_instance_of(written):
    assert synsets(written, "noun")["00000006"].hypernyms == ("00000004",)


def test_the_count_of_words_is_hexadecimal(written):
    cat = synsets(written, "noun")["00000009"]
    assert len(cat.lemmas) == 10
    assert cat.hypernyms == ("00000003", "00000008")


def test_superclasses_of_a_tree_written_by_hand(written):
    """``animal`` has the classes of ``living being``, which is deeper; both banks have a class of their own."""
    found = {name: joined.tolist() for name, joined in superclasses(CLASSES, 2, 4).items()}
    assert found == {
        "bank (n00000007)": [True, True, False, True],
        "bank (n00000008)": [False, False, True, True],
        "dog": [True, True, False, False],
        "living being": [True, True, True, False],
        "thing": [True, True, True, True],
    }
    assert list(found) == sorted(found)


def test_superclasses_keep_to_their_bounds(written):
    assert list(superclasses(CLASSES, 3, 3)) == ["bank", "living being"]  # the other bank is out: no name is shared
    assert superclasses(CLASSES, 5, 9) == {}


def test_a_class_belongs_to_its_own_synset(written):
    assert superclasses(["n00000004", "n00000005"], 2, 2)["dog"].tolist() == [True, True]


@pytest.mark.parametrize("wnid", ["n99999999", "v00000004", "dog", ""])
def test_no_noun_is_refused(written, wnid):
    with pytest.raises(InputError, match="no noun of WordNet"):
        superclasses(["n00000005", wnid], 1, 2)


def test_tags_are_counted_by_part_of_speech_as_words_are_written(written):
    found = tag_counts()
    assert found["dog"] == {"noun": 42, "verb": 2}
    assert found["red"] == {"adj": 5}  # a satellite adjective
    assert found["galore"] == {"adj": 3}  # without the mark of its place
    assert found["May"] == {"noun": 29}
    assert not {"may", "Rex", "rex"} & set(found)


@pytest.mark.parametrize("package", [None, "json"], ids=["no package", "another library of that name"])
def test_a_missing_wordnet_names_the_mend(monkeypatch, package):
    find = wordnet.find_spec
    monkeypatch.setattr(wordnet, "find_spec", lambda name: package and find(package))
    with pytest.raises(InputError, match="make weights"):
        wordnet_folder()


def test_a_missing_file_names_the_mend(written):
    (written / "index.sense").unlink()
    with pytest.raises(InputError, match=r"index\.sense: no such file.*make weights"):
        tag_counts()


def test_every_class_of_imagenet_is_a_noun_of_wordnet(imagenet):
    nouns = synsets(wordnet_folder(), "noun")
    assert all(wnid[1:] in nouns for wnid in imagenet_wnids())
    assert nouns["01440764"].lemmas[0] == "tench"


def test_imagenet_has_118_dogs(imagenet):
    assert synsets(wordnet_folder(), "noun")["02084071"].lemmas[0] == "dog"
    assert imagenet["dog"].sum() == 118
    assert np.flatnonzero(imagenet["dog"]).tolist() == list(range(151, 269))  # the classifiers' order is a tree's


def test_superclasses_of_imagenet_are_what_everyone_knows(imagenet):
    tench, fire_engine, ambulance, pug = "n01440764", "n03345487", "n02701002", "n02110958"
    assert holds(superclasses(imagenet_wnids(), 10, 20)["fish"], tench)
    assert holds(imagenet["vertebrate"], tench) and not holds(imagenet["vehicle"], tench)
    assert holds(imagenet["vehicle"], fire_engine) and holds(imagenet["vehicle"], ambulance)
    assert holds(imagenet["mammal"], pug) and not holds(imagenet["bird"], pug)


def test_superclasses_of_imagenet_differ_and_keep_to_their_bounds(imagenet):
    sets = [joined.tobytes() for joined in imagenet.values()]
    assert len(set(sets)) == len(sets) > 30
    assert all(joined.shape == (1000,) and 20 <= joined.sum() <= 400 for joined in imagenet.values())
    assert "vertebrate" in imagenet and "chordate" not in imagenet  # one set of classes; a chordate is less specific
