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


# A list that was fixed before any model was asked: what section 6 and Fig. 8 name, then prepositions and adjectives
# that COCO's captions have often. Pictures of val2017 (5,000) that some caption says it of, counted on the published
# file by rules like these: many 943, next to 1225, on top of 586, group 554, in front of 544, behind 264, under 239,
# close-up 211, empty 107, black and white 90, at night 87, from above 28, before and after 0 (too few of the last two).
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
        r"\b(night(time)?(?![- ]?(stand|table|gown|shirt|light|club)s?\b)|after dark|evening|dusk|in the dark|lit up"
        r"|moonlight)\b",
        "at night",
        "by day",
    ),
    "next to": _said(r"\b(next to|beside|besides|side by side)\b", "one thing next to another", "one thing alone"),
    "on top of": _said(r"\bon top of\b", "one thing on top of another", "things side by side"),
    "group": _said(r"\bgroups? of\b", "a group of things", "a single thing"),
    "in front of": _said(r"\bin front of\b", "one thing in front of another", "nothing behind it"),
    "behind": _said(r"\bbehind\b", "one thing behind another", "nothing in front of it"),
    "under": _said(r"\b(under|underneath|beneath|below)\b", "one thing under another", "nothing above it"),
    "close-up": _said(r"\bclose[- ]?up\b", "a close-up", "seen from far away"),
    "empty": _said(r"\b(empty|deserted|vacant)\b", "empty", "full"),
    "black and white": _said(
        r"\bblack and white (photo|picture|image|photograph|shot)\b", "a black and white picture", "a picture in colour"
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
