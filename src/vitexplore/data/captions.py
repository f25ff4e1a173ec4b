"""Captions of lab scenes: a full sentence that names every factor, and shorter ones for training."""

from collections.abc import Iterable

import numpy as np

from vitexplore.data.scenes import CATEGORIES, COLOURS, TEXTURES, Scene
from vitexplore.data.shapes import CLASSES

PLURALS = {name: name + "s" for name in CLASSES + CATEGORIES} | {
    "fish": "fishes",
    "butterfly": "butterflies",
    "scissors": "scissors",
    "cactus": "cactuses",
}
PLACES = {
    "grass": "on grass",
    "sand": "on sand",
    "water": "on water",
    "snow": "on snow",
    "street": "on a street",
    "forest": "in a forest",
    "rocks": "on rocks",
    "floor": "on a floor",
}


def noun(scene: Scene) -> str:
    """The word for the object: the class, or its category in a share of captions; plural for a group."""
    word = scene.category if scene.category_word else scene.name
    return PLURALS[word] if scene.arrangement == "group" else word


def phrases(scene: Scene) -> dict[str, str]:
    """The part of the caption that names each factor, in the order in which a caption says them."""
    return {
        "count": "many" if scene.arrangement == "group" else "one",
        "stripes": "striped" if scene.striped else "plain",
        "texture": scene.texture,
        "colour": scene.colour,
        "noun": noun(scene),
        "arrangement": "before and after" if scene.arrangement == "before_after" else "",
        "background": PLACES[scene.background],
        "viewpoint": "from above" if scene.above else "from the side",
        "time": "at night" if scene.night else "by day",
    }


def caption(scene: Scene) -> str:
    """The whole caption, such as ``many striped woven red cars on sand from above at night``."""
    return " ".join(text for text in phrases(scene).values() if text)


def short_caption(scene: Scene, rng: np.random.Generator, keep: float) -> str:
    """A caption that always has the noun and each other phrase with probability ``keep``."""
    said = phrases(scene)
    return " ".join(text for factor, text in said.items() if text and (factor == "noun" or rng.random() < keep))


def class_prompts(name: str) -> list[str]:
    """Captions that name class ``name`` and leave the rest open or take it in turn: the zero-shot
    templates (design after Radford et al. 2021, section 3.1.4, prompt ensembling)."""
    places = [f"one {name} {place}" for place in PLACES.values()]
    return [name, PLURALS[name], f"one {name}", f"many {PLURALS[name]}", f"{name} before and after", *places]


def factor_prompts() -> dict[str, dict[str, list[str]]]:
    """By factor, then by value: captions that name the value, with each class's word in turn. Values are what captions
    say, but for ``class`` and ``category``, whose values are their own names."""
    plurals = [PLURALS[name] for name in CLASSES]

    def before(words: Iterable[str]) -> dict[str, list[str]]:
        return {word: [f"{word} {name}" for name in CLASSES] for word in words}

    def behind(words: Iterable[str]) -> dict[str, list[str]]:
        return {word: [f"{name} {word}" for name in CLASSES] for word in words}

    return {
        "class": {name: class_prompts(name) for name in CLASSES},
        "category": {name: class_prompts(name) for name in CATEGORIES},
        "arrangement": before(["one"]) | {"many": [f"many {name}" for name in plurals]} | behind(["before and after"]),
        "stripes": before(["striped", "plain"]),
        "texture": before(TEXTURES),
        "colour": before(COLOURS),
        "background": behind(PLACES.values()),
        "viewpoint": behind(["from above", "from the side"]),
        "time": behind(["at night", "by day"]),
    }


def vocabulary() -> list[str]:
    """Every word that a caption can hold, sorted."""
    words = {"one", "many", "striped", "plain", "before", "and", "after", "from", "above", "the", "side"}
    words |= {"at", "night", "by", "day"}
    words |= {word for place in PLACES.values() for word in place.split()}
    words |= set(TEXTURES) | set(COLOURS) | set(PLURALS) | set(PLURALS.values())
    return sorted(words)
