"""What the images of a set differ in: factors, each with a value for every image, and the concepts that features are
tested for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torchvision.transforms.functional import resize, to_tensor

from vitexplore.data.captions import PLACES, factor_prompts
from vitexplore.data.images import ImageSet
from vitexplore.data.said import SAID, prompts, says
from vitexplore.data.scenes import COLOURS, TEXTURES
from vitexplore.data.wordnet import superclasses
from vitexplore.measures.simple import hue, orientation
from vitexplore.statistics.splits import halves
from vitexplore.visualize.quality import high_frequency_share

LEAST, MOST = 20, 400  # classes that a super-class of photographs joins
# Images of either kind that a concept needs in each part. With fewer, chance alone puts the standard error of an AUROC
# at 0.05 or more, however many images there are of the other kind: the best of 2,000 features would be found at 0.68.
FEWEST = 30
DETAIL_BINS, DETAIL_SIDE = 8, 224

# factors of scenes: the column of their table, and the words for its values where those are not words
_FACTORS = {
    "category": ("category", {}),
    "background": ("background", PLACES),
    "texture": ("texture", {}),
    "colour": ("colour", {}),
    "stripes": ("striped", {True: "striped", False: "plain"}),
    "arrangement": ("arrangement", {"single": "one", "group": "many", "before_after": "before and after"}),
    "viewpoint": ("above", {True: "from above", False: "from the side"}),
    "time": ("night", {True: "at night", False: "by day"}),
}
# what captions of scenes say and labels do not, beside the categories: how many and where from, adjectives, places
_CAPTION_ONLY = {
    "many": "arrangement",
    "before and after": "arrangement",
    "from above": "viewpoint",
    "at night": "time",
    "striped": "stripes",
    **dict.fromkeys(TEXTURES, "texture"),
    **dict.fromkeys(COLOURS, "colour"),
    **dict.fromkeys(PLACES.values(), "background"),
}


@dataclass(frozen=True)
class Concept:
    """``positive`` bool [n]: the images that show it. A feature is found on the images of ``found_on`` bool [n] and
    scored on those of ``held_on``, which have none in common. ``kind``: ``caption`` or ``category``; a category is
    found on one half of all classes and scored on the other, and the other way round: ``fold`` 0 and 1. Of COCO the
    halves are of the category's own members."""

    name: str
    kind: str
    fold: int
    positive: np.ndarray
    found_on: np.ndarray
    held_on: np.ndarray

    def counts(self) -> dict[str, int]:
        """How many images of either part show it, and how many do not."""
        found, held = self.positive[self.found_on], self.positive[self.held_on]
        counted = {"found_positives": found, "found_others": ~found, "positives": held, "others": ~held}
        return {name: int(part.sum()) for name, part in counted.items()}

    def usable(self) -> bool:
        """Whether both parts have FEWEST images at least that show it, and as many that do not."""
        return min(self.counts().values()) >= FEWEST


def factors_of(images: ImageSet, indices: np.ndarray) -> dict[str, np.ndarray]:
    """By factor, a value (text) for each image of ``indices``. Of scenes and photographs ``class``, and ``hue`` and
    ``orientation`` (measures/simple.py). Scenes: all else that made them, in the words of their captions (the keys and
    values of ``captions.factor_prompts``). Photographs: ``category``, the smallest super-class of the class;
    ``texture``, which eighth of the images its share of energy at high frequencies falls in."""
    classes = np.array(images.classes)[images.labels[indices]]
    if has_factors(images):
        pictures, found = [images.image(index) for index in indices], scene_words(images, indices)
    else:
        categories = _smallest(superclasses(images.classes, LEAST, MOST), len(images.classes))
        pictures = [resize(images.image(index), [DETAIL_SIDE, DETAIL_SIDE]) for index in indices]
        found = {"category": categories[images.labels[indices]], "texture": _detail(pictures)}
    simple = {each.__name__: np.array([each(picture) for picture in pictures]) for each in (hue, orientation)}
    return {"class": classes} | found | simple


def scene_words(images: ImageSet, indices: np.ndarray) -> dict[str, np.ndarray]:
    """By factor, the words for what made each scene."""
    table = images.table.iloc[indices]
    words = {name: table[column].map(lambda x, of=of: of.get(x, x)) for name, (column, of) in _FACTORS.items()}
    return {name: values.to_numpy(dtype=str) for name, values in words.items()}


def concepts_of(images: ImageSet, indices: np.ndarray) -> list[Concept]:
    """Those of ``candidates`` of which there are images enough."""
    return [concept for concept in candidates(images, indices) if concept.usable()]


def candidates(images: ImageSet, indices: np.ndarray) -> list[Concept]:
    """The concepts that the images of ``indices`` may be asked about: of scenes, what captions say and labels do not,
    and the categories; of COCO the same, by the rules of data/said.py and its super-categories; of other photographs,
    WordNet's super-classes of their classes."""
    if has_captions(images):
        return _of_coco(images, indices)
    labels = images.labels[indices]
    found_on, held_on = (np.isin(np.arange(len(indices)), half) for half in halves(len(indices)))
    concepts = []
    if has_factors(images):
        factors = scene_words(images, indices)
        for name, factor in _CAPTION_ONLY.items():
            concepts.append(Concept(name, "caption", 0, factors[factor] == name, found_on, held_on))
        categories = {str(name): factors["category"] == name for name in np.unique(factors["category"])}
    else:
        joined = superclasses(images.classes, LEAST, MOST)
        categories = {name: members[labels] for name, members in joined.items()}
    first = labels % 2 == 0  # half of the classes of every category, for those stand together
    for name, positive in categories.items():
        for fold, half in enumerate((first, ~first)):
            concepts.append(Concept(name, "category", fold, positive, found_on & half, held_on & ~half))
    return concepts


def _of_coco(images: ImageSet, indices: np.ndarray) -> list[Concept]:
    """A picture shows many objects. So for a category the images where a feature is found show every other one of its
    members and none of the rest, those where it is scored the rest alone; and in turn."""
    found_on, held_on = (np.isin(np.arange(len(indices)), half) for half in halves(len(indices)))
    rows = images.table.iloc[indices]
    concepts = []
    for name in SAID:
        positive = np.array([says(captions, name) for captions in rows["caption"]])
        concepts.append(Concept(name, "caption", 0, positive, found_on, held_on))
    for name, members in _members(images).items():
        shows = [np.array([bool(set(half) & set(found)) for found in rows["category"]])
                 for half in (members[::2], members[1::2])]  # fmt: skip
        for fold, (own, other) in enumerate((shows, shows[::-1])):
            concepts.append(Concept(name, "category", fold, own | other, found_on & ~other, held_on & ~own))
    return concepts


def _members(images: ImageSet) -> dict[str, list[str]]:
    """COCO's categories by super-category, both sorted."""
    table = images.table
    pairs = {
        pair for row in zip(table["category"], table["supercategory"], strict=True) for pair in zip(*row, strict=True)
    }
    found: dict[str, list[str]] = {}
    for category, joined in sorted(pairs, key=lambda pair: pair[::-1]):
        found.setdefault(joined, []).append(category)
    return found


def prompts_of(images: ImageSet) -> dict[str, dict[str, list[str]]]:
    """By factor, then by value: texts by which a CLIP is asked for the concepts of ``images``. Values of a factor are
    what else an image may show."""
    if has_factors(images):
        return factor_prompts()
    if has_captions(images):
        return prompts(list(_members(images)))
    return {name: {name: [name]} for name in superclasses(images.classes, LEAST, MOST)}


def has_factors(images: ImageSet) -> bool:
    return "arrangement" in images.table


def has_captions(images: ImageSet) -> bool:
    """Whether they are COCO's with captions."""
    return {"caption", "supercategory"} <= set(images.table)


def _smallest(joined: dict[str, np.ndarray], classes: int) -> np.ndarray:
    """For each class, the name of the smallest super-class that it is in, else ``other``."""
    names = np.full(classes, "other", dtype=object)
    for name, members in sorted(joined.items(), key=lambda pair: -pair[1].sum()):
        names[members] = name
    return names.astype(str)


def _detail(pictures: Sequence[Image.Image]) -> np.ndarray:
    shares = np.array([float(high_frequency_share(to_tensor(picture)[None])) for picture in pictures])
    ranks = shares.argsort(kind="stable").argsort(kind="stable")
    return np.array([f"detail {1 + DETAIL_BINS * rank // len(pictures)}" for rank in ranks])
