"""The list of common words against words of which everyone knows the part of speech."""

import sys
from collections import Counter
from importlib.util import find_spec

import pytest

from vitexplore.data import words
from vitexplore.data.wordnet import wordnet_folder
from vitexplore.data.words import PREPOSITIONS, common_words
from vitexplore.errors import InputError

pytestmark = pytest.mark.skipif(not find_spec("wordfreq"), reason="the package wordfreq is not installed: make weights")


@pytest.fixture(scope="module")
def common() -> list[str]:
    try:
        wordnet_folder()
    except InputError as error:
        pytest.skip(str(error))
    return common_words(3000)


def test_3000_words_each_once(common):
    assert len(common) == len(set(common)) == 3000


def test_nouns_adjectives_and_prepositions_are_in(common):
    assert {"dog", "house", "water", "people"} <= set(common)
    assert {"red", "many", "small", "good"} <= set(common)
    assert {"above", "before", "after", "between", "among", "under", "in", "of"} <= set(common)


def test_articles_conjunctions_pronouns_verbs_and_adverbs_are_out(common):
    assert not {"the", "and", "have", "a", "be", "is", "not", "but", "she", "this", "who"} & set(common)
    assert not {"will", "might", "may", "can", "must", "being"} & set(common)  # auxiliaries with a noun of that name
    assert not {"go", "get", "know", "think", "very", "never", "just", "quickly"} & set(common)


def test_proper_names_are_out(common):
    assert not {"london", "american", "may", "monday", "us"} & set(common)


def test_words_are_in_lower_case_and_none_but_prepositions_are_short(common):
    assert all(word.isalpha() and word.islower() for word in common)
    assert all(len(word) >= 3 for word in common if word not in PREPOSITIONS)


def test_the_most_frequent_come_first(common):
    from wordfreq import zipf_frequency

    found = [zipf_frequency(word, "en") for word in common]
    assert found == sorted(found, reverse=True)
    assert common.index("many") < common.index("red") < common.index("spider")


def test_a_word_counts_by_how_it_is_tagged_most(monkeypatch):
    """dog as often a noun as a verb; run less often; the time never in lower case; red and dog by both parts."""
    tags = {
        "dog": Counter(noun=1, adj=1, verb=2),
        "run": Counter(noun=1, verb=2),
        "Time": Counter(noun=9),
        "red": Counter(adj=1),
        "ox": Counter(noun=5),
        "hot_dog": Counter(noun=5),
    }
    monkeypatch.setattr(words, "tag_counts", lambda: tags)
    found = common_words(len(PREPOSITIONS) + 2)
    assert set(found) == {"dog", "red", *PREPOSITIONS}
    assert common_words(5) == found[:5]
    with pytest.raises(InputError, match=f"only {len(found)} found"):
        common_words(len(found) + 1)


def test_a_missing_word_list_names_the_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(InputError, match=r"wordfreq.*make weights"):
        common_words(10)
