"""What is kept of passing scores equals what a look at all of them finds, however they are cut and merged."""

import numpy as np
import pytest
import torch

from vitexplore.activations.running import Running, _ordered, _unordered
from vitexplore.errors import InputError


def whole_numbers(features: int = 50, images: int = 100, values: int = 3) -> torch.Tensor:
    """Few values, so that many scores are equal; some of them are zeros of the other sign."""
    scores_fb = torch.randint(-values, values, (features, images), generator=torch.Generator().manual_seed(0)).float()
    return torch.where(scores_fb == 0, torch.tensor([0.0, -0.0]).repeat(images)[:images], scores_fb)


def normal(features: int = 50, images: int = 100) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    spread = torch.logspace(-3, 1, features)[:, None]
    return 2 + spread * torch.randn(features, images, generator=generator)


def kept(scores_fb: torch.Tensor, k: int, batch: int, first: int = 0) -> Running:
    running = Running.empty(len(scores_fb), k)
    for start in range(0, scores_fb.shape[1], batch):
        running.add(scores_fb[:, start : start + batch].contiguous(), first + start)
    return running


def merged(scores_fb: torch.Tensor, k: int, cuts: list[int], order: list[int]) -> Running:
    """Parts between ``cuts``, merged in ``order``."""
    ends = [0, *cuts, scores_fb.shape[1]]
    running = Running.empty(len(scores_fb), k)
    for part in order:
        running.merge(kept(scores_fb[:, ends[part] : ends[part + 1]], k, 7, ends[part]))
    return running


def test_whole_numbers_sort_as_the_scores_do_and_become_the_scores_again():
    scores = torch.tensor([-torch.inf, -3e38, -2.5, -1e-40, -0.0, 0.0, 1e-40, 1.0, 1.0000001, 7e3, torch.inf])
    ordered = _ordered(scores)
    assert torch.equal(ordered.diff() > 0, scores.diff() > 0)
    assert torch.equal(_unordered(ordered), scores)


@pytest.mark.parametrize("batch", [1, 2, 7, 64, 100])
def test_of_equal_scores_the_earlier_image_stays(batch):
    scores_fb = whole_numbers()
    running = kept(scores_fb, 6, batch)
    for feature, scores in enumerate(scores_fb.tolist()):
        best = sorted(range(100), key=lambda i: (-scores[i], i))[:6]
        assert running.positions[feature].tolist() == best
        assert running.scores[feature].tolist() == [scores[i] for i in best]


@pytest.mark.parametrize("scores", [range(1, 21), range(20, 0, -1), range(-20, 0)])
def test_a_better_image_replaces_a_worse_one_and_never_the_reverse(scores):
    """The released code keeps the running value where it is greater than the new one, and so ends with
    whatever came first (it9/best_train.py)."""
    running = kept(torch.tensor([list(scores)]).float(), 3, 4)
    assert running.scores[0].tolist() == sorted(scores, reverse=True)[:3]
    assert running.positions[0].tolist() == sorted(range(20), key=lambda i: -scores[i])[:3]


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_mean_and_variance_are_those_of_all_scores(batch):
    scores_fb = normal()
    running, true = kept(scores_fb, 1, batch), scores_fb.double().numpy()
    assert running.n == 100
    assert np.allclose(running.mean, true.mean(1), rtol=1e-14, atol=0)
    assert np.allclose(running.variance, true.var(1), rtol=1e-12, atol=0)


def test_variance_of_a_constant_is_zero():
    running = kept(torch.full((1, 30), 0.1), 1, 7)
    assert running.variance.item() < 1e-30


@pytest.mark.parametrize("scores_fb", [whole_numbers(), normal()], ids=["ties", "normal"])
@pytest.mark.parametrize("cuts, order", [([40], [0, 1]), ([3, 4, 90], [2, 0, 3, 1]), ([50, 50], [2, 1, 0])])
def test_parts_merge_to_the_whole(scores_fb, cuts, order):
    whole, parts = kept(scores_fb, 6, 9), merged(scores_fb, 6, cuts, order)
    assert torch.equal(parts.best, whole.best)
    assert torch.equal(parts.counts, whole.counts)
    assert parts.n == whole.n
    assert torch.allclose(parts.mean, whole.mean, rtol=1e-12, atol=1e-15)
    assert torch.allclose(parts.variance, whole.variance, rtol=1e-12, atol=0)


def test_parts_with_fewer_images_than_places_fill_up():
    scores_fb = normal(images=12)
    assert kept(scores_fb[:, :2], 6, 5).scores.isnan().sum() == 4 * 50
    assert torch.equal(merged(scores_fb, 6, [2, 4, 6, 8, 10], [0, 1, 2, 3, 4, 5]).best, kept(scores_fb, 6, 12).best)


def test_a_part_of_another_model_is_refused():
    with pytest.raises(InputError, match="not of one pass"):
        Running.empty(3, 2).merge(Running.empty(4, 2))


def test_what_is_stored_comes_back(tmp_path):
    running = kept(normal(), 4, 9)
    running.save(tmp_path / "part.npz")
    found = Running.load(tmp_path / "part.npz")
    assert found.n == running.n
    for name in ("best", "mean", "squares", "counts"):
        mine, stored = getattr(running, name), getattr(found, name)
        assert torch.equal(mine, stored) and mine.dtype == stored.dtype
    assert [path.name for path in tmp_path.iterdir()] == ["part.npz"]


def test_a_part_that_was_cut_short_is_named(tmp_path):
    path = tmp_path / "vit_3.npz"
    kept(normal(), 3, 10).save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"vit_3.npz cannot be read: .*; delete it and run again"):
        Running.load(path)


def bytes_held(running: Running) -> int:
    return sum(value.untyped_storage().nbytes() for value in vars(running).values() if torch.is_tensor(value))


def test_what_is_kept_does_not_grow_with_the_images():
    """Counted by storage, since a view of a batch would hold the whole batch."""
    held = [bytes_held(kept(normal(images=n), 5, 10)) for n in (10, 400)]
    assert held[0] == held[1] == 50 * (5 * 8 + 2 * 8 + 513 * 4)
