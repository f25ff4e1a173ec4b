"""The most frequent English nouns, adjectives and prepositions: order from wordfreq, part of speech from WordNet."""

from vitexplore.data.wordnet import tag_counts
from vitexplore.errors import InputError

LEAST_LETTERS = 3  # shorter ones are mostly abbreviations and units; prepositions may be shorter
DEPTH = 50_000  # of the frequency list; holds nearly 10,000 words that count
PREPOSITIONS = (
    *("about", "above", "across", "after", "against", "along", "amid", "among", "around", "as", "at", "before"),
    *("behind", "below", "beneath", "beside", "besides", "between", "beyond", "by", "despite", "down", "during"),
    *("except", "for", "from", "in", "inside", "into", "near", "of", "off", "on", "onto", "out", "outside", "over"),
    *("past", "per", "since", "through", "throughout", "to", "toward", "towards", "under", "underneath", "until"),
    *("up", "upon", "via", "with", "within", "without"),
)
AUXILIARIES = ("being", "might", "will")  # WordNet has no auxiliary verbs: these would pass for their rare nouns


def common_words(count: int) -> list[str]:
    """The ``count`` most frequent of PREPOSITIONS and of the words that WordNet's texts tag at least as often as noun
    or adjective as they tag them as verb or adverb, and at least once; most frequent first (wordfreq's list "best").
    Numerals and determiners such as "many" are adjectives there. Such words have LEAST_LETTERS or more and are written
    in lower case, which leaves out proper names. Raises InputError where wordfreq or WordNet is not installed, and
    where there are fewer words."""
    try:
        from wordfreq import top_n_list
    except ImportError as error:
        raise InputError(
            f"{error}; install the word list: make weights (versions: requirements-weights.lock)"
        ) from error
    tagged = {
        word
        for word, counts in tag_counts().items()
        if len(word) >= LEAST_LETTERS
        and word.isalpha()
        and word.islower()
        and counts["noun"] + counts["adj"] >= counts["verb"] + counts["adv"]
    }
    wanted = tagged.difference(AUXILIARIES).union(PREPOSITIONS)
    found = [word for word in top_n_list("en", DEPTH, wordlist="best") if word in wanted]
    if len(found) < count:
        raise InputError(f"{count} common words wanted, only {len(found)} found; ask for fewer")
    return found[:count]
