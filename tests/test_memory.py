"""How many features fit the memory."""

from dataclasses import replace

import pytest
import torch

from vitexplore.models.sites import Site
from vitexplore.visualize import memory
from vitexplore.visualize.memory import fitting_batch, is_out_of_memory, kept_bytes
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import Engine
from vitexplore.visualize.recipes import RELEASED

SITE = Site("ffn", 1)


def channels(*labels: int) -> Channels:
    return Channels(SITE, labels)


def test_kept_bytes_of_a_linear_layer_are_its_weight_and_what_its_nonlinearity_keeps():
    weight = torch.rand(40, 30)

    def trial(rows: int) -> None:
        x = torch.rand(rows, 40, requires_grad=True)
        (x @ weight).sigmoid().sum().backward()  # the product needs the weight again, the sigmoid its own value

    for rows in (1, 2, 7):
        assert kept_bytes(lambda rows=rows: trial(rows)) == 4 * (40 * 30 + rows * 30)


def test_kept_bytes_of_a_step_grow_by_the_same_amount_with_each_feature(shared_vit):
    engine = Engine(shared_vit, replace(RELEASED, copies=4), 0)
    one, two, three, five = (kept_bytes(lambda n=n: engine.trial(channels(*range(n)))) for n in (1, 2, 3, 5))
    assert two > 1.3 * one
    assert three - two == pytest.approx(two - one, rel=0.01)
    assert five - three == pytest.approx(2 * (two - one), rel=0.01)


@pytest.mark.parametrize("free, features", [(0, 1), (3_999, 1), (40_000, 10), (63_999, 15), (10**9, 16)])
def test_as_many_features_as_fit_half_of_what_is_free_at_twice_what_one_keeps(shared_vit, monkeypatch, free, features):
    monkeypatch.setattr(memory, "free_bytes", lambda device: free)
    monkeypatch.setattr(memory, "kept_bytes", lambda trial: 1000)
    assert fitting_batch(lambda: None, shared_vit) == features


def test_one_feature_fits_even_if_its_step_keeps_nothing(shared_vit):
    assert fitting_batch(lambda: None, shared_vit) == 16  # the most on a processor


def test_there_is_some_free_memory():
    assert memory.free_bytes(torch.device("cpu")) > 0


def test_both_allocators_are_understood_and_other_errors_are_not():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
