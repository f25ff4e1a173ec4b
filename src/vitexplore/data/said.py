"""What captions of photographs say and labels do not (paper section 6, Fig. 8), and how a CLIP is asked for it."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Said(NamedTuple):
    """A concept that captions name. ``rule`` finds it in a caption in lower case; ``prompt`` names it for a CLIP,
    ``against`` what is shown where it is not."""

    rule: re.Pattern[str]
    prompt: str
    against: str


def _said(rule: str, prompt: str, against: str) -> Said:
    return Said(re.compile(rule), prompt, against)


SAID = {
    "many": _said(
        r"\b(many|several|numerous|lots of|a lot of|dozens|rows of|piles? of|bunch of|crowd(s|ed)?|herds?|flocks?)\b",
        "many of them",
        "one alone",
    ),
    "from above": _said(
        r"\b(from above|aerial|overhead (view|shot|photo|image)|bird'?s[- ]eye|top[- ]down|looking down (at|on))\b",
        "seen from above",
        "seen from the side",
    ),
    "before and after": _said(r"\bbefore and after\b", "before and after", "a single picture"),
    "at night": _said(
        r"\b(night(time)?(?![- ]?(stand|table|gown|shirt|light|club)s?\b)|after dark)\b", "at night", "by day"
    ),
}


def says(captions: Iterable[str], name: str) -> bool:
    """Whether one of a picture's captions names the concept of SAID."""
    return any(SAID[name].rule.search(caption.lower()) for caption in captions)


def prompts(categories: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """By factor, then by value, as ``captions.factor_prompts`` has it for scenes: how a CLIP is asked for the concepts
    of SAID, each a factor of two values, and for ``categories``."""
    asked = {
        name: {name: [f"a photo, {each.prompt}"], each.against: [f"a photo, {each.against}"]}
        for name, each in SAID.items()
    }
    return asked | {"category": {name: [f"a photo of {name}"] for name in categories}}
