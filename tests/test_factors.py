"""Which concepts and factors images have, and on which images a concept's features are found and scored."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from vitexplore.data.images import ImageSet
from vitexplore.data.photos import imagenet_wnids
from vitexplore.data.said import SAID
from vitexplore.data.scene_sets import scene_set
from vitexplore.data.shapes import CLASSES
from vitexplore.data.wordnet import superclasses
from vitexplore.measures.factors import (
    DETAIL_SIDE,
    FEWEST,
    LEAST,
    MOST,
    Concept,
    candidates,
    concepts_of,
    factors_of,
    prompts_of,
)
from vitexplore.measures.simple import hue, orientation

RNG = np.random.default_rng(0)


def test_a_concept_is_found_and_scored_on_different_images(unpainted):
    concepts = concepts_of(unpainted, np.arange(len(unpainted)))
    said = {concept.name for concept in concepts if concept.kind == "caption"}
    assert {"many", "before and after", "from above", "at night", "striped", "woven", "red", "on snow"} <= said
    for concept in concepts:
        assert not (concept.found_on & concept.held_on).any()


def test_a_category_is_found_on_other_classes_than_it_is_scored_on(unpainted):
    labels = unpainted.labels
    folds = [concept for concept in concepts_of(unpainted, np.arange(len(unpainted))) if concept.name == "animal"]
    assert [concept.fold for concept in folds] == [0, 1]
    for concept in folds:
        found, held = set(labels[concept.found_on & concept.positive]), set(labels[concept.held_on & concept.positive])
        assert len(found) == len(held) == 2
        assert not set(labels[concept.found_on]) & set(labels[concept.held_on])


def test_concepts_are_those_of_the_images_that_are_asked_for(unpainted):
    indices = RNG.permutation(len(unpainted))[:600]
    many = next(concept for concept in concepts_of(unpainted, indices) if concept.name == "many")
    assert np.array_equal(many.positive, unpainted.table["arrangement"].to_numpy()[indices] == "group")


def test_factors_of_scenes_are_what_made_them_and_simple_things_of_their_pixels():
    scenes = scene_set("unlinked", 12)
    indices = RNG.permutation(len(scenes))[:6]
    found = factors_of(scenes, indices)
    assert np.array_equal(found["class"], np.array(CLASSES)[scenes.labels[indices]])
    assert np.array_equal(found["colour"], scenes.table["colour"].to_numpy()[indices])
    assert list(found["hue"]) == [hue(scenes.image(index)) for index in indices]
    assert list(found["orientation"]) == [orientation(scenes.image(index)) for index in indices]


@pytest.mark.parametrize(
    ("colour", "sector"),
    [((255, 0, 0), 0), ((255, 255, 0), 45), ((0, 255, 0), 135), ((0, 0, 255), 225), ((255, 0, 255), 315)],
)
def test_the_hue_of_a_picture_is_that_of_its_colour_whatever_lies_grey_beside_it(colour, sector):
    pixels = np.full((8, 8, 3), 90, dtype=np.uint8)
    pixels[:3] = colour
    assert hue(Image.fromarray(pixels)) == f"hue {sector}"


@pytest.mark.parametrize("degrees", [0, 22, 45, 68, 90, 112, 135, 158])
def test_the_orientation_of_a_picture_is_where_it_varies_most(degrees):
    down, right = np.mgrid[:64, :64]
    angle = np.radians(degrees)
    wave = 128 + 100 * np.sin(0.7 * (right * np.cos(angle) + down * np.sin(angle)))
    picture = Image.fromarray(np.repeat(wave[..., None], 3, axis=2).astype(np.uint8))
    assert orientation(picture) == f"orientation {degrees}"


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", [True, False])
def test_a_concept_with_too_few_images_of_one_kind_in_one_part_is_left_out(first, kind):
    found_on = np.arange(4 * FEWEST) < 2 * FEWEST
    positive = np.arange(4 * FEWEST) % 2 == 0
    assert Concept("enough", "caption", 0, positive, found_on, ~found_on).usable()
    lacking = np.flatnonzero((positive == kind) & (found_on == first))[0]
    keep = np.arange(4 * FEWEST) != lacking
    assert not Concept("few", "caption", 0, positive, found_on & keep, ~found_on & keep).usable()


def test_few_images_have_no_concepts(unpainted):
    assert concepts_of(unpainted, np.arange(2 * FEWEST)) == []


@pytest.fixture(scope="module")
def photographs() -> ImageSet:
    """Pictures of 72 of ImageNet's classes: a wave under ever more noise."""
    noise = np.linspace(0, 50, 72)[:, None, None, None] * RNG.random((72, DETAIL_SIDE, DETAIL_SIDE, 1))
    wave = 100 + 50 * np.sin(2 * np.pi * np.arange(DETAIL_SIDE) / DETAIL_SIDE)
    pixels = np.broadcast_to((wave[:, None] + noise).astype(np.uint8), (72, DETAIL_SIDE, DETAIL_SIDE, 3))
    table = pd.DataFrame({"label": np.arange(72) * 13, "name": "", "path": ""})
    return ImageSet(table, tuple(imagenet_wnids()), pixels)


def test_concepts_of_photographs_are_super_classes_on_other_classes():
    table = pd.DataFrame({"label": np.arange(3000) % 1000, "name": "", "path": ""})
    unseen, indices = ImageSet(table, tuple(imagenet_wnids())), np.arange(3000)[::-1]
    labels, concepts = unseen.labels[indices], concepts_of(unseen, indices)
    assert {"dog", "animal"} <= {concept.name for concept in concepts}
    for concept in concepts:
        assert concept.kind == "category"
        assert not set(labels[concept.found_on]) & set(labels[concept.held_on])
        if concept.name == "dog":
            assert set(labels[concept.positive]) == set(range(151, 269))


def test_factors_of_photographs(photographs):
    factors = factors_of(photographs, np.arange(72))
    assert set(factors) == {"class", "category", "texture", "hue", "orientation"}
    assert factors["orientation"][0] == "orientation 0"  # before noise covers the wave
    assert factors["class"][0] == "n01440764"
    assert np.unique(factors["texture"], return_counts=True)[1].tolist() == [9] * 8
    assert (factors["texture"][0], factors["texture"][71]) == ("detail 1", "detail 8")


def test_the_category_of_a_photograph_is_its_smallest_super_class(photographs):
    found = factors_of(photographs, np.arange(72))["category"]
    joined = superclasses(photographs.classes, LEAST, MOST)
    for label, category in zip(photographs.labels, found, strict=True):
        above = {name: members.sum() for name, members in joined.items() if members[label]}
        assert category == "other" if not above else above[category] == min(above.values())


def coco(count: int) -> ImageSet:
    """Pictures of cats, dogs, buses, or a cat and a dog, one of two with a person too; every third one said to be many,
    and every fifth one at night."""
    shown = [["cat"], ["dog"], ["bus"], ["cat", "dog"]]
    joined = {"cat": "animal", "dog": "animal", "bus": "vehicle", "person": "person"}
    rows = []
    for number in range(count):
        found = sorted([*shown[number % 4], *(["person"] if number % 8 > 3 else [])])
        said = ["A picture.", "Many things." if number % 3 == 0 else "One."] + ["It is at night."] * (number % 5 == 0)
        rows.append({"category": found, "supercategory": [joined[name] for name in found], "caption": said})
    return ImageSet(pd.DataFrame(rows), ())


def test_concepts_of_captioned_photographs_are_what_captions_say():
    images, indices = coco(480), RNG.permutation(480)[:400]
    found = {concept.name: concept for concept in concepts_of(images, indices) if concept.kind == "caption"}
    assert set(found) == {"many", "at night"}  # captions say nothing else
    assert np.array_equal(found["many"].positive, indices % 3 == 0)
    assert np.array_equal(found["at night"].positive, indices % 5 == 0)
    for concept in found.values():
        assert not (concept.found_on & concept.held_on).any() and (concept.found_on | concept.held_on).all()


def test_a_category_of_photographs_is_found_on_other_members_than_it_is_scored_on():
    images = coco(480)
    folds = [concept for concept in concepts_of(images, np.arange(480)) if concept.kind == "category"]
    assert [(concept.name, concept.fold) for concept in folds] == [("animal", 0), ("animal", 1)]  # others join nothing
    members = np.array([set(row) - {"person"} for row in images.table["category"]])
    for concept, (first, second) in zip(folds, (("cat", "dog"), ("dog", "cat")), strict=True):
        assert np.array_equal(concept.positive, [bool(row & {"cat", "dog"}) for row in members])
        assert not (concept.found_on & concept.held_on).any()
        assert not any(second in row for row in members[concept.found_on])
        assert not any(first in row for row in members[concept.held_on])


def test_concepts_of_too_few_images_are_counted_all_the_same():
    counts = {concept.name: concept.counts() for concept in candidates(coco(480), np.arange(480))}
    assert counts["from above"] == {"found_positives": 0, "found_others": 240, "positives": 0, "others": 240}
    assert counts["at night"]["positives"] + counts["at night"]["found_positives"] == 96
    assert set(counts) == {*SAID, "animal", "person", "vehicle"}


def test_twenty_concepts_at_least_are_asked_about_everywhere(unpainted):
    scenes = {concept.name for concept in candidates(unpainted, np.arange(len(unpainted)))}
    assert len(scenes) >= 20 and len(SAID) + 12 >= 20  # and COCO's super-categories


@pytest.mark.parametrize("make", [lambda _: coco(8), lambda unpainted: unpainted])
def test_a_clip_is_asked_for_every_concept(make, unpainted):
    images = make(unpainted)
    asked = {word for values in prompts_of(images).values() for word in values}
    assert {concept.name for concept in candidates(images, np.arange(len(images)))} <= asked
