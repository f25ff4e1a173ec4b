"""A judge that recognises every picture scores 1, one that guesses 0.5; noise is high frequency, a gradient is not."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from vitexplore.visualize.quality import high_frequency_share, identification


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_pictures_that_point_at_their_own_set_are_all_identified():
    axes = torch.eye(8)
    exemplars = axes[:, None] + 0.05 * noise(8, 5, 8)
    assert identification(3 * axes, exemplars, torch.arange(8)).tolist() == [1] * 8


def test_pictures_that_point_away_from_their_own_set_are_never_identified():
    axes = torch.eye(8)
    exemplars = axes[:, None] + 0.05 * noise(8, 5, 8)
    assert identification(-axes, exemplars, torch.arange(8)).tolist() == [0] * 8


def test_sets_that_are_all_alike_tie_at_chance():
    exemplars = torch.ones(6, 3, 4)
    assert identification(noise(6, 4), exemplars, torch.arange(6)).tolist() == [0.5] * 6


def test_random_pictures_are_at_chance():
    scores = identification(noise(400, 32), noise(400, 5, 32, seed=1), torch.arange(400))
    assert abs(scores.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 400)


def test_identification_against_counting():
    """The pictures are of some features only, each with a set of its own, in another order."""
    pictures, exemplars, own = noise(5, 12), noise(9, 4, 12, seed=1), [7, 2, 0, 8, 3]
    pictures += 0.5 * exemplars[own].mean(1)
    centres = normalize(exemplars, dim=2).mean(1).double().numpy()
    found = identification(pictures, exemplars, torch.tensor(own))
    assert 0.5 < found.mean() < 1
    for score, picture, mine in zip(found, pictures.double().numpy(), own, strict=True):
        cosines = [picture @ c / np.linalg.norm(picture) / np.linalg.norm(c) for c in centres]
        wins = sum((cosines[g] < cosines[mine]) + 0.5 * (cosines[g] == cosines[mine]) for g in range(9) if g != mine)
        assert score == pytest.approx(wins / 8)


def test_identification_does_not_depend_on_the_embeddings_lengths():
    pictures, exemplars, own = noise(6, 10), noise(6, 3, 10, seed=1), torch.arange(6)
    stretched = exemplars * torch.rand(6, 3, 1, generator=torch.Generator().manual_seed(2)).add(0.1)
    assert torch.equal(identification(pictures, exemplars, own), identification(9 * pictures, stretched, own))


def wave(cycles_down: int, cycles_across: int) -> torch.Tensor:
    """[1, 3, 64, 64] with a mean, which must not count."""
    turn = 2 * np.pi * torch.arange(64) / 64
    return (5 + torch.cos(cycles_down * turn[:, None] + cycles_across * turn)).expand(1, 3, -1, -1)


@pytest.mark.parametrize(
    "down, across, share",
    [(1, 0, 0), (5, 6, 0), (8, 0, 0), (9, 0, 1), (0, 9, 1), (6, 6, 1), (32, 32, 1)],  # Nyquist / 4: 8 cycles
)
def test_a_wave_counts_as_high_from_a_quarter_of_nyquist(down, across, share):
    assert high_frequency_share(wave(down, across)).item() == pytest.approx(share, abs=1e-5)


def test_a_checkerboard_is_all_high_frequency():
    y, x = torch.meshgrid(torch.arange(32), torch.arange(48), indexing="ij")
    assert high_frequency_share(((y + x) % 2).float().expand(1, 3, -1, -1)).item() == pytest.approx(1)


def test_white_noise_has_the_share_of_its_area():
    shares = high_frequency_share(noise(20, 3, 64, 64))
    assert shares.mean().item() == pytest.approx(1 - np.pi * 0.125**2, abs=0.005)


def test_a_flat_picture_has_no_frequencies():
    assert high_frequency_share(torch.full((1, 3, 16, 16), 0.5)).item() == 0
