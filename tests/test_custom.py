"""A function of activations is an objective like any other."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from vitexplore.errors import InputError
from vitexplore.models.sites import Site
from vitexplore.visualize.custom import Custom
from vitexplore.visualize.objective import LOGITS, ffn, logit
from vitexplore.visualize.optimize import Checkpoint, visualize
from vitexplore.visualize.recipes import PAPER

SITE = Site("ffn", 2)
SHORT = replace(PAPER, steps=3, copies=2)


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Three of each of two features."""
    return torch.randn(6, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def channel_7(fkpc: Tensor) -> Tensor:
    return fkpc[..., 7].mean(2)


def margin(maps: dict[Site, Tensor]) -> Tensor:
    return maps[SITE][..., 7].mean(2) - maps[LOGITS][:, :, 0, 3]


@torch.no_grad()
def values(objective, model, images: Tensor) -> Tensor:
    return objective.bind(model)(images)


def test_a_function_of_one_site_gets_its_maps(shared_vit, images):
    seen = []

    def spied(fkpc: Tensor) -> Tensor:
        seen.append(fkpc.shape)
        return channel_7(fkpc)

    found = values(Custom("channel", (SITE,), spied, (0, 1)), shared_vit, images)
    assert seen == [(2, 3, 64, 256)]
    assert torch.allclose(found, values(ffn(2, 7, 7), shared_vit, images), atol=1e-6)


def test_a_function_of_several_sites_gets_them_by_site_logits_among_them(shared_vit, images):
    found = values(Custom("margin", (SITE, LOGITS), margin, (0, 1)), shared_vit, images)
    assert torch.allclose(found, values(ffn(2, 7, 7) - logit(3), shared_vit, images), atol=1e-5)


def test_in_a_sum_a_function_gets_its_own_sites_alone_and_counts_for_every_feature(shared_vit, images):
    objective = ffn(5, 1, 2) + 2 * Custom("channel", (SITE,), channel_7) - Custom("margin", (SITE, LOGITS), margin)
    expected = ffn(5, 1, 2) + 2 * ffn(2, 7) - ffn(2, 7) + logit(3)
    assert torch.allclose(values(objective, shared_vit, images), values(expected, shared_vit, images), atol=1e-5)


def test_labels_are_random_starts_of_the_same_function(shared_vit):
    found = visualize(shared_vit, Custom("channel", (SITE,), channel_7, (7, 9)), SHORT, batch=1)
    assert torch.allclose(found.images[0], visualize(shared_vit, ffn(2, 7), SHORT).images[0], atol=1e-5)
    assert (found.images[0] - found.images[1]).abs().mean() > 0.05


@pytest.mark.parametrize(
    "function, shape", [(lambda fkpc: fkpc.mean(), r"\[\]"), (lambda x: x.mean(2), r"\[2, 3, 256\]")]
)
def test_a_function_that_does_not_return_one_number_for_each_image_is_refused(shared_vit, images, function, shape):
    objective = Custom("odd", (SITE,), function, (0, 1))
    expected = rf"^custom objective 'odd' returns {shape}, not \[features, copies\] = \[2, 3\]$"
    with pytest.raises(InputError, match=expected):
        values(objective, shared_vit, images)


def test_the_name_and_not_the_function_tells_a_checkpoint_from_another(shared_vit, tmp_path):
    def run(objective: Custom) -> None:
        visualize(shared_vit, objective, SHORT, checkpoint=Checkpoint(tmp_path, keep=True))

    run(Custom("mean", (SITE,), channel_7))
    run(Custom("mean", (SITE,), lambda fkpc: channel_7(fkpc)))
    with pytest.raises(InputError, match="is of another run"):
        run(Custom("most", (SITE,), channel_7))
    with pytest.raises(InputError, match="is of another run"):
        run(Custom("mean", (Site("ffn", 3),), channel_7))
