"""A visualization transfers where another model's most similar feature answers to it as to few natural images."""

import numpy as np
import pytest
import torch
from scipy.stats import percentileofscore

from vitexplore.visualize.quality import partners, transferability


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_partner_of_a_feature_is_its_copy_whatever_its_scale_and_sign_of_the_others():
    other = noise(50, 6)
    assert partners(3 * other[:, [4, 0, 2]] - 7, other).tolist() == [4, 0, 2]
    assert partners(other[:, [1]], torch.cat([-other[:, [1]], other[:, [1]] + 0.1 * noise(50, 1, seed=1)], 1)) == 1


def test_partners_against_numpy():
    one = noise(30, 5).relu()
    other = noise(30, 8, seed=1) + one @ noise(5, 8, seed=2)
    correlation = np.corrcoef(one.T.double(), other.T.double())[:5, 5:]
    assert partners(one, other).tolist() == correlation.argmax(1).tolist()


def test_a_feature_that_is_constant_is_nobodys_partner():
    natural = noise(20, 1)
    constant = torch.full((20, 1), 0.1)
    assert partners(natural, torch.cat([constant, natural + 5 * noise(20, 1, seed=1).abs()], 1).flip(1)) == 0


def test_transferability_is_the_percentile_of_the_partner():
    natural = noise(40, 4).round(decimals=1)
    other = natural[:, [2, 0, 3, 1]]
    shown = natural[[5, 6, 7, 8]]
    found = transferability(natural, other, shown)
    for f, partner in enumerate([1, 3, 0, 2]):
        assert found[f] == pytest.approx(percentileofscore(other[:, partner], shown[f, partner], kind="mean") / 100)


def test_pictures_that_drive_the_partners_transfer_fully_and_pictures_that_silence_them_not_at_all():
    natural = noise(40, 4)
    assert transferability(natural, natural, 9 * torch.eye(4) - 4).tolist() == [1] * 4
    assert transferability(natural, natural, 4 - 9 * torch.eye(4)).tolist() == [0] * 4


def test_a_natural_image_that_was_drawn_at_random_is_at_chance():
    found = transferability(noise(100, 400), noise(100, 50, seed=1), noise(400, 50, seed=2))
    assert abs(found.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 50)


def test_a_feature_that_never_fires_on_natural_images_has_no_partner():
    natural = noise(20, 2)
    silent = torch.cat([natural, torch.zeros(20, 1), torch.full((20, 1), 0.1)], 1)
    assert transferability(silent, natural, noise(4, 2)).isnan().tolist() == [False, False, True, True]
