"""Quantiles from a sketch are those of the values, to the accuracy that it states."""

import numpy as np
import pytest
import torch

from vitexplore.activations import sketch

LEVELS = (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1)
ROUNDING = 1 + 1e-6  # the edges are float32


def counted(values: np.ndarray) -> torch.Tensor:
    counts = sketch.empty(len(values))
    sketch.count(counts, torch.from_numpy(np.ascontiguousarray(values)))
    return counts


def draw(name: str) -> np.ndarray:
    """float32 [feature, image]."""
    rng, shape = np.random.default_rng(0), (6, 1001)
    drawn = {
        "normal": rng.normal(0, 1, shape),
        "far from zero": rng.normal(-5, 0.1, shape),
        "of all magnitudes": rng.choice([-1, 1], shape) * np.exp(rng.uniform(np.log(1e-5), np.log(7e3), shape)),
        "mostly zero": np.where(rng.random(shape) < 0.8, 0, rng.normal(0, 1, shape)),
        "few": rng.normal(0, 1, (6, 3)),
        "one": rng.normal(0, 1, (6, 1)),
    }
    return drawn[name].astype(np.float32)


@pytest.mark.parametrize("name", ["normal", "far from zero", "of all magnitudes", "mostly zero", "few", "one"])
def test_quantiles_are_those_of_the_values_to_the_stated_accuracy(name):
    values = draw(name)
    true = np.quantile(values, LEVELS, axis=1, method="lower").T
    found = sketch.quantiles(counted(values), LEVELS)
    assert found.shape == (6, len(LEVELS))
    large = np.abs(true) >= sketch.SMALLEST
    assert (np.abs(found - true)[large] <= sketch.ACCURACY * ROUNDING * np.abs(true)[large]).all()
    assert (np.abs(found[~large]) <= sketch.SMALLEST).all()


def test_the_accuracy_is_not_understated():
    """Values all over one bin: its middle is as far from some of them as is stated, nearly."""
    values = np.linspace(1, 1.2, 10001, dtype=np.float32)
    found = np.array([sketch.quantiles(counted(values[[i], None]), [0.5])[0, 0] for i in range(0, 10001, 100)])
    assert sketch.ACCURACY * 0.97 < np.abs(found / values[::100] - 1).max() <= sketch.ACCURACY * ROUNDING


def test_counts_of_parts_add_up_to_those_of_the_whole():
    values = draw("of all magnitudes")
    whole = counted(values)
    assert torch.equal(whole, sum(counted(part) for part in np.split(values, [1, 400, 999], axis=1)))
    assert torch.equal(whole.sum(1), torch.full((6,), 1001))


def test_a_sign_changes_nothing_but_the_side():
    values = draw("of all magnitudes")
    assert torch.equal(counted(values).flip(1), counted(-values))


def test_what_is_out_of_range_counts_as_zero_or_as_the_largest():
    values = np.array([[9e-6, -9e-6, 0.0, -0.0], [1e6, 1e30, 8e3, 9e3], [-1e6, -1e30, -8e3, -9e3]], dtype=np.float32)
    found = sketch.quantiles(counted(values), [0, 1])
    assert (found[0] == 0).all()
    assert np.allclose(found[1:], [[sketch.LARGEST] * 2, [-sketch.LARGEST] * 2], rtol=sketch.ACCURACY)
    assert 7e3 < sketch.LARGEST < 8e3
