"""The lab's world: what its docstrings say of scenes, on factors and on pixels."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion
from scipy.stats import binom, chi2_contingency, chisquare

from vitexplore.data.backgrounds import BACKGROUNDS
from vitexplore.data.captions import caption, class_prompts, noun, phrases, vocabulary
from vitexplore.data.scenes import (
    ARRANGEMENT_SHARES,
    ARRANGEMENTS,
    BACKGROUND_LINK,
    CATEGORIES,
    CATEGORY_WORD_SHARE,
    COLOURS,
    NIGHT_SHARE,
    SIZE,
    SPLITS,
    TEXTURE_LINK,
    TEXTURES,
    Scene,
    category_of,
    draw,
    draw_split,
    home_background,
    home_texture,
    sample,
)
from vitexplore.data.shapes import CLASSES
from vitexplore.models.lab import CONTEXT, Tokenizer

SAMPLED = [sample("train", index) for index in range(4800)]
INDEPENDENT = ("colour", "striped", "night", "above", "arrangement")
DRAWN = [sample("validation", index) for index in range(64)]  # each class four times


def some(count: int, **wanted: object) -> list[Scene]:
    """The first ``count`` sampled scenes whose factors are as ``wanted``."""
    found = [s for s in SAMPLED if all(getattr(s, name) == value for name, value in wanted.items())][:count]
    assert len(found) == count
    return found


def changed(one: Scene, other: Scene) -> np.ndarray:
    """bool [h, w]: pixels that differ between two drawings."""
    return (draw(one).pixels != draw(other).pixels).any(axis=2)


# --- the same scenes for everyone


def test_a_scene_is_the_same_each_time_it_is_drawn():
    for index in range(8):
        one, other = draw(sample("test", index)), draw(sample("test", index))
        assert np.array_equal(one.pixels, other.pixels)
        assert np.array_equal(one.mask, other.mask)
        assert np.array_equal(one.boxes, other.boxes)


def test_a_split_does_not_depend_on_how_many_processes_draw_it():
    count = 253  # more than the 250 that one process draws at a time
    alone, shared = draw_split("validation", count), draw_split("validation", count, workers=2)
    assert alone[0].shape == (count, SIZE, SIZE, 3) and alone[0].dtype == np.uint8
    assert alone[1].shape == (count, SIZE, SIZE) and alone[1].dtype == bool
    assert np.array_equal(alone[0], shared[0])
    assert np.array_equal(alone[1], shared[1])
    assert len(alone[2]) == len(shared[2]) == count
    assert all(np.array_equal(a, b) for a, b in zip(alone[2], shared[2], strict=True))
    for index in (0, 249, 250, 252):
        picture = draw(sample("validation", index))
        assert np.array_equal(alone[0][index], picture.pixels)
        assert np.array_equal(alone[1][index], picture.mask)
        assert np.array_equal(alone[2][index], picture.boxes)


def test_splits_share_no_scene():
    seen = Counter()
    for split in SPLITS:
        scenes = [sample(split, index) for index in range(500)]
        seen.update((scene.placements, scene.noise) for scene in scenes)
    assert max(seen.values()) == 1
    assert len(seen) == 500 * len(SPLITS)


# --- factors


def test_classes_are_balanced_and_categories_are_four_classes_each():
    assert set(Counter(scene.label for scene in SAMPLED).values()) == {len(SAMPLED) // len(CLASSES)}
    members = {category: {CLASSES[c] for c in range(16) if category_of(c) == category} for category in CATEGORIES}
    assert members["vehicle"] == {"car", "boat", "plane", "rocket"}
    assert members["animal"] == {"fish", "rabbit", "butterfly", "snail"}
    assert members["plant"] == {"fir", "flower", "cactus", "palm"}
    assert members["tool"] == {"hammer", "key", "saw", "scissors"}


@pytest.mark.parametrize("factor", INDEPENDENT)
def test_the_class_tells_nothing_of(factor):
    assert _dependence("label", factor) > 1e-3


@pytest.mark.parametrize(("one", "other"), [(a, b) for n, a in enumerate(INDEPENDENT) for b in INDEPENDENT[n + 1 :]])
def test_other_factors_tell_nothing_of_each_other(one, other):
    assert _dependence(one, other) > 1e-3


def _dependence(one: str, other: str) -> float:
    """p-value of the chi-square test of independence over the sampled scenes."""
    counts = Counter((getattr(scene, one), getattr(scene, other)) for scene in SAMPLED)
    rows, columns = sorted({a for a, _ in counts}), sorted({b for _, b in counts})
    return chi2_contingency([[counts[a, b] for b in columns] for a in rows]).pvalue


@pytest.mark.parametrize(
    ("factor", "shares"),
    [
        ("colour", dict.fromkeys(COLOURS, 1 / len(COLOURS))),
        ("background", dict.fromkeys(BACKGROUNDS, 1 / len(BACKGROUNDS))),
        ("texture", dict.fromkeys(TEXTURES, 1 / len(TEXTURES))),
        ("arrangement", dict(zip(ARRANGEMENTS, ARRANGEMENT_SHARES, strict=True))),
        ("night", {True: NIGHT_SHARE, False: 1 - NIGHT_SHARE}),
        ("category_word", {True: CATEGORY_WORD_SHARE, False: 1 - CATEGORY_WORD_SHARE}),
        ("above", {True: 0.5, False: 0.5}),
        ("striped", {True: 0.5, False: 0.5}),
    ],
)
def test_each_value_comes_at_its_stated_share(factor, shares):
    counts = Counter(getattr(scene, factor) for scene in SAMPLED)
    assert set(counts) == set(shares)
    expected = [share * len(SAMPLED) for share in shares.values()]
    assert chisquare([counts[value] for value in shares], expected).pvalue > 1e-3


@pytest.mark.parametrize(
    ("factor", "home", "values", "link"),
    [
        ("background", home_background, len(BACKGROUNDS), BACKGROUND_LINK),
        ("texture", home_texture, len(TEXTURES), TEXTURE_LINK),
    ],
)
def test_the_link_to_the_class_is_at_its_stated_rate(factor, home, values, link):
    """Home comes by the link, or by chance among all values."""
    at_home = sum(getattr(scene, factor) == home(scene.label) for scene in SAMPLED)
    rate = link + (1 - link) / values
    low, high = binom.interval(0.999, len(SAMPLED), rate)
    assert low <= at_home <= high
    assert _dependence("label", factor) < 1e-12


def test_no_home_gives_a_category_away():
    for home in (home_background, home_texture):
        owners = {}
        for label in range(len(CLASSES)):
            owners.setdefault(home(label), set()).add(category_of(label))
        assert len(owners) == 8
        assert all(len(categories) == 2 for categories in owners.values())


def test_a_group_has_three_objects_or_more_and_the_rest_one():
    for scene in SAMPLED:
        assert scene.count == {"single": 1, "before_after": 1, "group": len(scene.placements)}[scene.arrangement]
        if scene.arrangement == "group":
            assert 3 <= scene.count <= 4
        else:
            assert len(scene.placements) == (2 if scene.arrangement == "before_after" else 1)


# --- pixels


def test_boxes_are_tight_on_the_mask():
    for scene in some(16, arrangement="single") + some(8, arrangement="group") + some(8, arrangement="before_after"):
        picture = draw(scene)
        assert picture.boxes.shape == (len(scene.placements), 4)
        assert picture.mask.shape == (SIZE, SIZE)
        covered = np.zeros_like(picture.mask)
        for left, top, right, bottom in picture.boxes.astype(int):
            assert 0 <= left < right <= SIZE and 0 <= top < bottom <= SIZE
            covered[top:bottom, left:right] = True
            if scene.arrangement != "before_after":  # there the line between the panels may cover an edge
                edges = (np.s_[top, left:right], np.s_[bottom - 1, left:right])
                edges += (np.s_[top:bottom, left], np.s_[top:bottom, right - 1])
                assert all(picture.mask[edge].any() for edge in edges)
        assert (picture.mask & ~covered).sum() <= (0 if scene.arrangement == "single" else 4)
        if scene.arrangement == "single":
            rows, columns = np.flatnonzero(picture.mask.any(1)), np.flatnonzero(picture.mask.any(0))
            assert list(picture.boxes[0]) == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def test_masks_are_neither_empty_nor_the_whole_frame():
    shares = np.array([draw(scene).mask.mean() for scene in DRAWN])
    assert shares.min() > 0.02
    assert shares.max() < 0.6


def test_another_colour_changes_the_object_and_nothing_else():
    for scene in [s for s in DRAWN if s.arrangement != "before_after"][:24]:
        other = replace(scene, colour="blue" if scene.colour == "yellow" else "yellow")
        difference, mask = changed(scene, other), draw(scene).mask
        assert not (difference & ~binary_dilation(mask, iterations=2)).any()
        assert difference[mask].mean() > 0.2  # the outline stays


def test_another_background_leaves_the_object_as_it_was():
    """Speckles apart: they are drawn after the background, from the same generator."""
    for scene in [s for s in DRAWN if s.texture != "speckled"][:24]:
        other = replace(scene, background="snow" if scene.background != "snow" else "forest")
        one, two = draw(scene), draw(other)
        assert np.array_equal(one.mask, two.mask)
        difference = (one.pixels != two.pixels).any(axis=2)
        assert difference[binary_erosion(one.mask)].mean() < 0.03  # slits between parts let some ground through
        far = ~binary_dilation(one.mask, iterations=2)
        assert difference[far].mean() > 0.4  # from the side, the sky over half of the frame may be the same


def test_night_is_darker_and_moves_nothing():
    for scene in some(16, night=True):
        day = draw(replace(scene, night=False))
        night = draw(scene)
        assert np.array_equal(day.mask, night.mask)
        assert (night.pixels <= day.pixels).all()
        assert night.pixels.mean() < 0.75 * day.pixels.mean()
        assert night.pixels[..., 2].sum() / night.pixels.sum() > day.pixels[..., 2].sum() / day.pixels.sum()


def test_stripes_lie_on_the_object_only():
    for scene in some(16, striped=True):
        picture = draw(scene)
        difference = changed(scene, replace(scene, striped=False))
        assert not (difference & ~binary_dilation(picture.mask)).any()
        assert 0.05 < difference[picture.mask].mean() < 0.9


@pytest.mark.parametrize("texture", [name for name in TEXTURES if name != "smooth"])
def test_a_texture_lies_on_the_object_only(texture):
    for scene in some(3, striped=False, texture="smooth"):
        picture = draw(scene)
        difference = changed(scene, replace(scene, texture=texture))
        assert not (difference & ~binary_dilation(picture.mask)).any()
        assert difference[picture.mask].mean() > 0.1


def test_from_the_side_there_is_a_horizon_and_from_above_none():
    for scene in some(8, arrangement="single", above=True, background="water"):
        above, side = draw(scene).pixels, draw(replace(scene, above=False)).pixels
        outside = ~draw(scene).mask
        top = outside & (np.arange(SIZE)[:, None] < SIZE // 4)
        assert side[top].mean() > above[top].mean() + 10  # sky over water is brighter than water


def test_before_and_after_shows_two_panels_small_and_pale_then_large():
    for scene in some(12, arrangement="before_after", night=False):
        picture = draw(scene)
        middle = picture.pixels[:, SIZE // 2 - 1 : SIZE // 2 + 1]
        assert (middle == round(0.95 * 255)).all()
        assert not picture.mask[:, SIZE // 2 - 1 : SIZE // 2 + 1].any()
        assert picture.mask[:, : SIZE // 2].sum() < picture.mask[:, SIZE // 2 :].sum()
        assert picture.boxes[0, 2] <= SIZE // 2 and picture.boxes[1, 0] >= SIZE // 2 - 2


def test_easy_scenes_are_one_plain_object_by_day_on_one_flat_colour():
    for index in range(16):
        scene = sample("easy", index)
        assert scene.easy and scene.arrangement == "single" and not scene.night and not scene.striped
        picture = draw(scene)
        ground = picture.pixels[~binary_dilation(picture.mask, np.ones((3, 3)), iterations=4)]
        colours, counts = np.unique(ground, axis=0, return_counts=True)
        assert counts.max() / counts.sum() > 0.8  # the rest is shadow
        shades = colours / colours[counts.argmax()]
        assert (np.ptp(shades, axis=1) < 0.05).all() and (shades.mean(axis=1) <= 1).all()
        assert len(np.unique(picture.pixels[picture.mask], axis=0)) > 10
    assert not any(sample(split, index).easy for split in ("train", "validation", "test") for index in range(50))


# --- captions


def test_a_caption_names_every_factor():
    for scene in SAMPLED:
        words = f" {caption(scene)} "
        assert " many " in words if scene.count > 1 else " one " in words
        assert " striped " in words if scene.striped else " plain " in words
        assert f" {scene.texture} " in words
        assert f" {scene.colour} " in words
        assert f" {noun(scene)} " in words
        assert (" before and after " in words) == (scene.arrangement == "before_after")
        assert f" {scene.background} " in words
        assert " from above " in words if scene.above else " from the side " in words
        assert " at night " in words if scene.night else " by day " in words


def test_a_caption_says_each_phrase_once_in_order():
    for scene in SAMPLED[:200]:
        assert caption(scene) == " ".join(phrase for phrase in phrases(scene).values() if phrase)


def test_scenes_with_different_factors_have_different_captions():
    scene = replace(SAMPLED[0], arrangement="single", category_word=False)
    others = [
        replace(scene, arrangement="before_after"),
        replace(scene, arrangement="group"),
        replace(scene, above=not scene.above),
        replace(scene, night=not scene.night),
        replace(scene, striped=not scene.striped),
        replace(scene, category_word=True),
        *[replace(scene, background=name) for name in BACKGROUNDS if name != scene.background],
        *[replace(scene, label=label) for label in range(16) if label != scene.label],
    ]
    assert len({caption(s) for s in [scene, *others]}) == len(others) + 1


def test_the_category_stands_for_the_class_at_about_its_share():
    said = sum(scene.category in caption(scene) and scene.name not in caption(scene).split() for scene in SAMPLED)
    low, high = binom.interval(0.999, len(SAMPLED), CATEGORY_WORD_SHARE)
    assert low <= said <= high
    for scene in SAMPLED[:200]:
        assert noun(scene).startswith((scene.category if scene.category_word else scene.name)[:5])


def test_the_vocabulary_covers_every_caption_and_prompt():
    known = set(vocabulary())
    said = {word for scene in SAMPLED for word in caption(scene).split()}
    said |= {word for name in CLASSES for prompt in class_prompts(name) for word in prompt.split()}
    assert said <= known
    assert len(vocabulary()) == len(known)


def test_the_longest_caption_fits_the_text_tower():
    captions = [caption(scene) for scene in SAMPLED]
    tokens = Tokenizer()(captions)
    for text, row in zip(captions, tokens, strict=True):
        assert int((row > 0).sum()) == len(text.split()) + 2 <= CONTEXT
        assert row.argmax() == len(text.split()) + 1  # where open_clip reads the caption's embedding
