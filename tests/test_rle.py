"""COCO's run lengths: against slow ones, and polygons of known pixels."""

import numpy as np
import pytest

from vitexplore.data.rle import decode, union

RECTANGLE = [2, 1, 5, 1, 5, 4, 2, 4]  # x, y


def pixels(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((6, 9), dtype=bool)
    mask[rows, columns] = True
    return mask


def runs(mask: np.ndarray) -> dict:
    """Run lengths, column by column, the first of the background."""
    counts, value = [0], False
    for pixel in mask.T.ravel():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return {"size": list(mask.shape), "counts": counts}


def slow_numbers(text: str) -> list[int]:
    """Run lengths of COCO's text: five bits a letter, the sixth says that more follow; from the fourth number on what
    is written is the difference to the last but one."""
    numbers, at = [], 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            letter = ord(text[at]) - 48
            value |= (letter & 31) << shift
            more, at, shift = bool(letter & 32), at + 1, shift + 5
            if not more and letter & 16:
                value -= 1 << shift
        numbers.append(value + numbers[-2] if len(numbers) > 2 else value)
    return numbers


@pytest.mark.parametrize("seed", range(5))
def test_a_mask_that_is_encoded_and_decoded_is_the_mask(seed):
    mask = np.random.default_rng(seed).random((13, 31)) < 0.3
    text = union([runs(mask)], 31, 13)
    assert slow_numbers(text) == runs(mask)["counts"]
    assert np.array_equal(decode(text, 31, 13), mask)
    assert union([{"size": [13, 31], "counts": text}], 31, 13) == text


def test_a_union_is_of_polygons_and_run_lengths_of_either_kind():
    polygon, numbers, text = pixels(slice(1, 4), slice(2, 5)), pixels(slice(0, 2), slice(4, 9)), pixels(5, slice(0, 3))
    found = union([[RECTANGLE], runs(numbers), {"size": [6, 9], "counts": union([runs(text)], 9, 6)}], 9, 6)
    assert np.array_equal(decode(found, 9, 6), polygon | numbers | text)


def test_an_object_of_several_polygons_is_all_of_them():
    far = [6, 0, 9, 0, 9, 6, 6, 6]
    wanted = pixels(slice(1, 4), slice(2, 5)) | pixels(slice(0, 6), slice(6, 9))
    assert np.array_equal(decode(union([[RECTANGLE, far]], 9, 6), 9, 6), wanted)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1, 1, 4, 4]], "a polygon of 4 numbers"),
        ([RECTANGLE, [1, 1, 4, 4, 2, 2, 3]], "a polygon of 7 numbers"),
        ({"size": [9, 6], "counts": [54]}, "no polygon and not of 9 x 6 pixels"),
        ("text", "no polygon and not of 9 x 6 pixels"),
        ({"size": [6, 9], "counts": [10, 5]}, "add up to 15 pixels of 54"),
        ({"size": [6, 9], "counts": [60, -6]}, "or are negative"),
        ({"size": [6, 9], "counts": "PPYo0"}, "Invalid RLE mask"),
    ],
)
def test_what_is_no_mask_of_the_picture_is_refused(segmentation, message):
    with pytest.raises(ValueError, match=message):
        union([segmentation], 9, 6)
