"""The most activating images are those that a sort of all images finds, however the images come in."""

import numpy as np
import pytest
import torch

from vitexplore.activations.collect import TopImages, _empty, collect
from vitexplore.data.images import ImageSet, preprocess
from vitexplore.models.sites import Site, read_many

WANTED = [Site("ffn", block) for block in range(8)] + [Site("query", 0), Site("value", 4), Site("block", 7)]


@pytest.fixture(scope="module")
def brute(shared_vit, scenes) -> dict[Site, torch.Tensor]:
    """All maps of all images [image, position, feature]."""
    pictures = torch.stack([preprocess(shared_vit.spec)(scenes.image(i)) for i in range(len(scenes))])
    with torch.no_grad():
        return {site: found.bpc for site, found in read_many(shared_vit, WANTED, pictures).items()}


@pytest.mark.parametrize("batch, order_seed", [(16, None), (1, None), (3, 1), (5, 2)])
def test_collect_finds_what_a_sort_of_all_images_finds(shared_vit, scenes, brute, batch, order_seed):
    indices = np.arange(len(scenes))
    if order_seed:
        indices = np.random.default_rng(order_seed).permutation(indices)
    tops = collect(shared_vit, scenes, indices, WANTED, k=4, batch=batch)
    assert set(tops) == set(WANTED)
    for site, top in tops.items():
        scores_fb = brute[site].mean(1).T
        order = scores_fb.argsort(1, descending=True)
        features = torch.arange(len(scores_fb))[:, None]
        assert torch.allclose(top.scores, scores_fb.gather(1, order[:, :4]), atol=1e-5)
        assert torch.allclose(top.maps, brute[site].permute(2, 0, 1)[features, top.images], atol=1e-4)
        # the batch size moves a score by some 1e-7: images may differ only where two scores are as near as that
        assert (top.images.sort(1).values.diff(dim=1) > 0).all()
        assert torch.allclose(scores_fb.gather(1, top.images), top.scores, atol=1e-5)
        gap = scores_fb.gather(1, order[:, :5]).diff(dim=1).abs().min(1).values
        assert torch.equal(top.images[gap > 1e-5], order[gap > 1e-5, :4])


def merged(acts_bpc: torch.Tensor, order: list[int], k: int, batch: int) -> TopImages:
    top = _empty(acts_bpc, k, (2, 2))
    for start in range(0, len(order), batch):
        index = torch.tensor(order[start : start + batch])
        top.merge(acts_bpc[index], index)
    return top


def whole_number_maps(images: int, values: int) -> torch.Tensor:
    """Sums of whole numbers are exact, so that equal is equal."""
    return torch.randint(0, values, (images, 4, 50), generator=torch.Generator().manual_seed(0)).float()


@pytest.mark.parametrize("batch", [1, 2, 7, 64, 100])
def test_of_equal_scores_the_earlier_image_stays(batch):
    acts = whole_number_maps(100, 3)
    top = merged(acts, list(range(100)), k=6, batch=batch)
    for feature in range(50):
        scores = acts[:, :, feature].mean(1).tolist()
        assert top.images[feature].tolist() == sorted(range(100), key=lambda i: (-scores[i], i))[:6]


def test_the_order_of_the_images_does_not_matter():
    acts = whole_number_maps(60, 10**5)
    plain = merged(acts, list(range(60)), k=5, batch=8)
    for seed, batch in ((1, 8), (2, 13), (3, 1)):
        other = merged(acts, np.random.default_rng(seed).permutation(60).tolist(), k=5, batch=batch)
        assert torch.equal(other.images, plain.images)
        assert torch.equal(other.scores, plain.scores)
        assert torch.equal(other.maps, plain.maps)


@pytest.mark.parametrize("scores", [range(1, 21), range(20, 0, -1), range(-20, 0)])
def test_a_better_image_replaces_a_worse_one_and_never_the_reverse(scores):
    """The released code keeps the running value where it is greater than the new one, and so ends with
    whatever came first (it9/best_train.py)."""
    acts = torch.tensor(list(scores)).float()[:, None, None].expand(-1, 4, 1)
    top = merged(acts, list(range(20)), k=3, batch=4)
    assert top.scores[0].tolist() == sorted(scores, reverse=True)[:3]
    assert top.images[0].tolist() == sorted(range(20), key=lambda i: -scores[i])[:3]


def bytes_held(top: TopImages) -> int:
    return sum(tensor.untyped_storage().nbytes() for tensor in (top.scores, top.images, top.maps))


def test_memory_does_not_grow_with_the_images():
    """Counted by storage, since a view of a batch would hold the whole batch."""
    held = [bytes_held(merged(whole_number_maps(n, 10**5), list(range(n)), k=5, batch=10)) for n in (10, 400)]
    assert held[0] == held[1] == 50 * 5 * (4 + 8 + 4 * 4)


def test_activations_that_are_not_finite_are_refused_not_dropped():
    acts = whole_number_maps(8, 9)
    acts[3, 1, 2] = float("nan")
    with pytest.raises(FloatingPointError):
        merged(acts, list(range(8)), k=2, batch=4)


def test_only_the_asked_images_are_searched(shared_vit, scenes: ImageSet):
    site = Site("ffn", 1)
    top = collect(shared_vit, scenes, np.array([4, 9, 11]), [site], k=2)[site]
    assert set(top.images.flatten().tolist()) <= {4, 9, 11}
    assert top.grid == (8, 8)
