"""The rules by which captions name what labels do not."""

import pytest

from vitexplore.data.said import SAID, prompts, says

RIGHT = {
    "many": [
        "Many people stand around a bus.", "A herd of sheep on a hill.", "A lot of kites fly above a beach.",
        "Several boats at a pier", "A crowded street.", "A bunch of bananas.", "There are dozens of cakes.",
    ],
    "from above": [
        "A view from above of a desk.", "An aerial photo of a river.", "Bird's-eye view of a town.",
        "An overhead view of a plate.", "A cat seen looking down at it, top-down.",
    ],
    "before and after": ["Before and after photos of a kitchen."],
    "at night": [
        "A street at night.", "A nighttime view of a tower.", "The city after dark.", "The night sky.",
        "A pier at dusk.", "An evening meal.", "A tower lit up in the dark.", "A beach in the moonlight.",
    ],
    "next to": ["A dog next to a bike.", "A fork beside a plate.", "Two cats side by side."],
    "on top of": ["A cat on top of a car."],
    "group": ["A group of people.", "Groups of zebras graze."],
    "in front of": ["A man in front of a house."],
    "behind": ["A tree behind a fence."],
    "under": ["A dog under a table.", "Shoes underneath the bed.", "A boat below a bridge.", "A seat beneath a tree."],
    "close-up": ["A close-up of a flower.", "A close up of a pizza.", "Closeup view"],
    "empty": ["An empty street.", "A deserted beach.", "A vacant lot."],
    "black and white": ["A black and white photo of a train.", "A black and white photograph."],
}  # fmt: skip
WRONG = {
    "many": ["A man rides a horse.", "Germany plays football.", "A crowdfunded bus"],
    "from above": ["A plane above the clouds.", "A cabinet above a sink.", "A man with one overhead."],
    "before and after": ["A man before a door, and a dog after him."],
    "at night": [
        "A lamp on a nightstand.",
        "A bed beside a night stand.",
        "A night table.",
        "A knight.",
        "A nightclub",
        "A well lit room.",
    ],
    "next to": ["The next bus.", "Besieged by birds."],
    "on top of": ["A mountain top.", "A tank top on a woman."],
    "group": ["A grouper on a plate.", "A regrouping."],
    "in front of": ["The front of a bus.", "A storefront of glass."],
    "behind": ["A man on a horse."],
    "under": ["A thunderstorm.", "An underwater view."],
    "close-up": ["A close friend.", "Dress up close to home."],
    "empty": ["A man emptying a bag.", "An emptied plate."],
    "black and white": ["A black and white cat.", "A black dog and a white cat."],
}


def test_every_concept_is_tried_both_ways():
    assert set(SAID) == set(RIGHT) == set(WRONG)


@pytest.mark.parametrize(("name", "caption"), [(name, each) for name in SAID for each in RIGHT[name]])
def test_a_caption_names_it(name, caption):
    assert says([caption], name)


@pytest.mark.parametrize(("name", "caption"), [(name, each) for name in SAID for each in WRONG[name]])
def test_a_caption_does_not_name_it(name, caption):
    assert not says([caption], name)


def test_one_caption_of_several_is_enough():
    assert says(["A street.", "A street at night."], "at night") and not says([], "at night")


def test_a_clip_is_asked_for_each_concept_against_another_and_for_categories_against_each_other():
    asked = prompts(["animal", "food"])
    assert set(asked) == {*SAID, "category"}
    assert all(set(asked[name]) == {name, SAID[name].against} for name in SAID)
    assert asked["category"] == {"animal": ["a photo of animal"], "food": ["a photo of food"]}
