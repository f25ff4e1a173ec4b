"""Objectives add up, and their terms share one pass through the model."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from vitexplore.errors import InputError
from vitexplore.models.sites import Site, read
from vitexplore.visualize.objective import Channels, Combined, Directions, Logits, Objective, channel, ffn, logit
from vitexplore.visualize.optimize import Checkpoint, visualize
from vitexplore.visualize.recipes import PAPER

DIRECTIONS = Directions(Site("key", 3), (8, 9), torch.randn(2, 64, generator=torch.Generator().manual_seed(1)))
SHORT = replace(PAPER, steps=3, copies=2)


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Two of each of two features."""
    return torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def values(objective: Objective, model, images: Tensor) -> Tensor:
    return objective.bind(model)(images)


@torch.no_grad()
def ffn_mean(model, block: int, label: int, image: Tensor) -> float:
    return read(model, Site("ffn", block), image[None]).bpc[0, :, label].mean().item()


def test_the_helpers_are_the_objectives_that_they_are_short_for():
    assert channel(13, 4) == Channels(Site("channel", 13), (4,))
    assert ffn(6, 3, 17, position=5) == Channels(Site("ffn", 6), (3, 17), 5)
    assert logit(207, 3) == Logits((207, 3))


def test_a_sum_is_the_weighted_sum_of_its_terms_read_one_by_one(shared_vit, images):
    objective = 0.2 * ffn(2, 7, 20) - ffn(5, 1, 30) * 3 + 0.5 * logit(4, 9) - DIRECTIONS
    terms = [values(t, shared_vit, images) for t in (ffn(2, 7, 20), ffn(5, 1, 30), logit(4, 9), DIRECTIONS)]
    expected = 0.2 * terms[0] - 3 * terms[1] + 0.5 * terms[2] - terms[3]
    assert torch.allclose(values(objective, shared_vit, images), expected, atol=1e-5)
    assert objective.weights == (0.2, -3, 0.5, -1)
    assert sum([ffn(2, 7), ffn(5, 1), logit(4)]) == ffn(2, 7) + ffn(5, 1) + logit(4)
    assert objective.labels == (7, 20)


def test_a_term_of_one_feature_counts_for_every_feature(shared_vit, images):
    objective = -ffn(5, 1) + ffn(2, 7, 20)
    expected = [
        [ffn_mean(shared_vit, 2, label, images[at]) - ffn_mean(shared_vit, 5, 1, images[at]) for at in places]
        for label, places in ((7, (0, 1)), (20, (2, 3)))
    ]
    assert objective.labels == (7, 20)
    assert torch.allclose(values(objective, shared_vit, images), torch.tensor(expected), atol=1e-5)
    second = objective.take(slice(1, 2))
    assert second == -ffn(5, 1) + ffn(2, 20)
    assert torch.allclose(values(second, shared_vit, images[2:]), torch.tensor(expected[1:]), atol=1e-5)


def test_a_factor_or_a_sign_applies_to_all_terms_of_a_sum():
    assert 2 * (ffn(0, 1) - 0.5 * ffn(1, 1)) == Combined((2, -1), (ffn(0, 1), ffn(1, 1)))
    assert ffn(0, 1) - (ffn(1, 1) - logit(2)) == Combined((1, -1, 1), (ffn(0, 1), ffn(1, 1), logit(2)))


@pytest.mark.parametrize("combine", [lambda a: a + 3, lambda a: a - 3, lambda a: a * a, lambda a: a * None])
def test_only_objectives_add_up_and_only_numbers_are_factors(combine):
    with pytest.raises(TypeError, match="unsupported operand"):
        combine(ffn(0, 1))


def test_terms_of_different_numbers_of_features_are_refused():
    with pytest.raises(InputError, match=r"^terms of 2 and 3 features do not add up: give each the same number, or on"):
        ffn(0, 1, 2) + ffn(1, 1, 2, 3)


def count_calls(module) -> list[int]:
    calls = []
    module.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


def test_all_terms_cost_one_pass_that_ends_at_the_deepest_site(vit, images):
    value = (ffn(2, 7, 20) - 0.5 * ffn(4, 1) + DIRECTIONS + ffn(2, 8)).bind(vit)
    first, after = count_calls(vit.trunk.patch_embed), count_calls(vit.trunk.blocks[4].mlp.fc2)
    with torch.no_grad():
        value(images)
    assert (len(first), len(after)) == (1, 0)


def test_sites_and_logits_come_from_the_same_pass(vit, images):
    value = (ffn(2, 7, 20) - logit(3)).bind(vit)
    first, last = count_calls(vit.trunk.patch_embed), count_calls(vit.trunk.head)
    with torch.no_grad():
        value(images)
    assert (len(first), len(last)) == (1, 1)
    assert not vit.trunk.blocks[2].mlp.act._forward_hooks


def test_a_feature_of_a_sum_reads_its_own_images_and_no_others(shared_vit, images):
    pixels = images.clone().requires_grad_()
    (ffn(2, 7, 20) - logit(3)).bind(shared_vit)(pixels)[1].sum().backward()
    assert (pixels.grad.flatten(1).abs().amax(1) > 0).tolist() == [False, False, True, True]


WRONG = {
    r"^m ffn 2 has channels 0 to 255, not 256$": ffn(2, 5) + ffn(2, 256),
    r"^m logit has channels 0 to 15, not 16$": ffn(2, 5) - logit(16),
    r"^m has blocks 0 to 7, not 8$": ffn(2, 5) - logit(1) + ffn(8, 5),
}


@pytest.mark.parametrize("message", WRONG)
def test_a_term_that_the_model_lacks_is_refused(shared_vit, message):
    with pytest.raises(InputError, match=message):
        WRONG[message].bind(shared_vit)


def test_a_sum_is_optimized_in_batches_like_its_parts(shared_vit):
    objective = ffn(1, 4, 9, 30) - 0.5 * ffn(3, 2)
    whole = visualize(shared_vit, objective, SHORT, batch=3)
    alone = visualize(shared_vit, objective, SHORT, batch=1)
    assert torch.allclose(whole.images, alone.images, atol=1e-4)
    assert torch.allclose(whole.score, alone.score, atol=1e-4)


@pytest.mark.parametrize(
    "other",
    [ffn(1, 4) - 0.6 * DIRECTIONS.take(slice(1)), ffn(1, 5) - 0.5 * DIRECTIONS.take(slice(1)), ffn(1, 4)],
    ids=["weight", "label", "one term"],
)
def test_a_checkpoint_of_another_sum_is_refused(shared_vit, tmp_path, other):
    objective = ffn(1, 4) - 0.5 * DIRECTIONS.take(slice(1))
    visualize(shared_vit, objective, SHORT, checkpoint=Checkpoint(tmp_path, keep=True))
    visualize(shared_vit, objective, SHORT, checkpoint=Checkpoint(tmp_path, keep=True))
    with pytest.raises(InputError, match="is of another run"):
        visualize(shared_vit, other, SHORT, checkpoint=Checkpoint(tmp_path, keep=True))


def test_directions_in_a_sum_are_told_apart_by_all_their_digits(shared_vit, tmp_path):
    def nudged(by: float) -> Objective:
        return ffn(1, 4) - 0.5 * replace(DIRECTIONS, directions=DIRECTIONS.directions + by).take(slice(1))

    visualize(shared_vit, nudged(0), SHORT, checkpoint=Checkpoint(tmp_path, keep=True))
    with pytest.raises(InputError, match="is of another run"):
        visualize(shared_vit, nudged(1e-6), SHORT, checkpoint=Checkpoint(tmp_path, keep=True))
