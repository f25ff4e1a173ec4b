"""The rank of the true class counts the classes before it, and says nothing good of a model that knows nothing."""

import numpy as np
import pytest
import torch

from vitexplore.measures.accuracy import share
from vitexplore.measures.ranks import rank_of_truth


def slow_rank(logits: list[float], label: int) -> int:
    order = sorted(range(len(logits)), key=lambda c: (-logits[c], c))
    return order.index(label)


def test_ranks_equal_a_slow_sort_with_many_ties():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randint(0, 4, (3, 40, 7), generator=generator).float()
    labels = torch.randint(0, 7, (40,), generator=generator)
    ranks = rank_of_truth(logits, labels)
    slow = [[slow_rank(logits[a, b].tolist(), int(labels[b])) for b in range(40)] for a in range(3)]
    assert ranks.dtype == torch.int16
    assert ranks.tolist() == slow


def test_labels_are_broadcast_over_positions():
    logits = torch.randn(5, 6, 9, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 3, 8, 8, 2])
    ranks = rank_of_truth(logits, labels[:, None])
    assert ranks.tolist() == [[slow_rank(logits[b, p].tolist(), int(labels[b])) for p in range(6)] for b in range(5)]


def test_largest_logit_is_first_and_smallest_is_last():
    logits = torch.arange(10.0).expand(2, -1)
    assert rank_of_truth(logits, torch.tensor([9, 0])).tolist() == [0, 9]


def test_constant_logits_are_at_chance():
    classes = 16
    ranks = rank_of_truth(torch.zeros(classes, classes), torch.arange(classes))
    assert (ranks < 1).float().mean() == 1 / classes
    assert (ranks < 5).float().mean() == 5 / classes


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_logits_that_are_not_finite_are_refused(value):
    logits = torch.zeros(2, 3)
    logits[1, 2] = value
    with pytest.raises(FloatingPointError):
        rank_of_truth(logits, torch.zeros(2, dtype=torch.int64))


def test_the_share_that_is_kept_is_above_chance_and_no_number_where_the_whole_is_at_chance():
    whole, part = np.arange(36) < 27, np.arange(36) < 18
    assert share(part, whole, 0.25).value == pytest.approx((0.5 - 0.25) / (0.75 - 0.25))
    at_chance = share(part, np.arange(36) < 8, 2 / 9).estimate()
    assert np.isnan([at_chance.value, at_chance.low, at_chance.high]).all()
