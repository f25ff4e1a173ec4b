"""An objective is one number for each feature, read on that feature's own images alone."""

import pytest
import torch
from torch import nn

from vitexplore.errors import InputError
from vitexplore.models.registry import Model, load
from vitexplore.models.sites import Site, read
from vitexplore.models.spec import ModelSpec
from vitexplore.visualize.objective import Channels, Directions, Logits, classes
from vitexplore.visualize.optimize import visualize
from vitexplore.visualize.recipes import PAPER

SITE = Site("ffn", 2)
LABELS = (7, 200, 31)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Two of each of three features."""
    return torch.randn(6, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def maps_fkpc(shared_vit, images) -> torch.Tensor:
    """What a plain hook on the FFN's nonlinearity sees, patches only."""
    caught = []
    module = shared_vit.trunk.blocks[SITE.block].mlp.act
    handle = module.register_forward_hook(lambda _module, _inputs, output: caught.append(output))
    with torch.no_grad():
        shared_vit.trunk(images)
    handle.remove()
    return caught[0][:, shared_vit.trunk.num_prefix_tokens :].unflatten(0, (3, 2))


@pytest.fixture(scope="module")
def clip() -> Model:
    return load(ModelSpec("clip", "lab", "lab_clip", "clip", "random"))


@pytest.fixture(scope="module")
def cnn() -> Model:
    return load(ModelSpec("cnn", "lab", "lab_cnn", "cnn", "random"))


def values(objective, model: Model, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return objective.bind(model)(images)


def test_a_channel_is_the_mean_of_its_map_over_patches(shared_vit, images, maps_fkpc):
    expected = [[maps_fkpc[f, k, :, LABELS[f]].mean() for k in range(2)] for f in range(3)]
    assert torch.allclose(values(Channels(SITE, LABELS), shared_vit, images), torch.tensor(expected), atol=1e-5)


@pytest.mark.parametrize("position", [0, 9, 63])
def test_a_channel_at_a_position_is_its_maps_value_there(shared_vit, images, maps_fkpc, position):
    expected = [[maps_fkpc[f, k, position, LABELS[f]] for k in range(2)] for f in range(3)]
    found = values(Channels(SITE, LABELS, position), shared_vit, images)
    assert torch.allclose(found, torch.tensor(expected), atol=1e-5)


@pytest.mark.parametrize("position", [None, 20])
def test_a_one_hot_direction_is_its_channel(shared_vit, images, position):
    one_hot = torch.eye(256)[list(LABELS)]
    found = values(Directions(SITE, (0, 1, 2), one_hot, position), shared_vit, images)
    assert torch.allclose(found, values(Channels(SITE, LABELS, position), shared_vit, images), atol=1e-5)


@pytest.mark.parametrize("position", [None, 20])
def test_a_direction_is_the_scalar_product_with_the_channels(shared_vit, images, maps_fkpc, position):
    directions = torch.randn(3, 256, generator=torch.Generator().manual_seed(1))
    acts_fkc = maps_fkpc.mean(2) if position is None else maps_fkpc[:, :, position]
    expected = [[sum(acts_fkc[f, k] * directions[f]) for k in range(2)] for f in range(3)]
    found = values(Directions(SITE, LABELS, directions, position), shared_vit, images)
    assert torch.allclose(found, torch.tensor(expected), atol=1e-4)


def test_a_logit_is_the_classifiers_own(shared_vit, images):
    with torch.no_grad():
        expected = shared_vit.module(images)
    found = values(Logits((3, 0, 15)), shared_vit, images)
    assert torch.allclose(found, torch.stack([expected[:2, 3], expected[2:4, 0], expected[4:, 15]]), atol=1e-5)


@pytest.mark.parametrize("position", [0, 255])
def test_positions_of_a_cnn_count_its_grid_row_by_row(cnn, images, position):
    with torch.no_grad():
        expected = read(cnn, Site("channel", 0), images).bpc[:, position, 5]
    found = values(Channels(Site("channel", 0), (5, 5, 5), position), cnn, images)
    assert torch.allclose(found.flatten(), expected, atol=1e-5)


OBJECTIVES = {
    "channels": Channels(SITE, LABELS),
    "position": Channels(SITE, LABELS, 4),
    "directions": Directions(SITE, LABELS, torch.rand(3, 256, generator=torch.Generator().manual_seed(2))),
    "logits": Logits((3, 0, 15)),
}
each = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)


@each
def test_a_feature_reads_its_own_images_and_no_others(shared_vit, images, objective):
    pixels = images.clone().requires_grad_()
    objective.bind(shared_vit)(pixels)[1].sum().backward()
    reached = pixels.grad.flatten(1).abs().amax(1) > 0
    assert reached.tolist() == [False, False, True, True, False, False]


@each
def test_a_part_of_the_features_has_the_values_of_that_part(shared_vit, images, objective):
    whole, part = values(objective, shared_vit, images), objective.take(slice(1, 3))
    assert part.labels == objective.labels[1:]
    assert torch.allclose(values(part, shared_vit, images[2:]), whole[1:], atol=1e-5)
    assert objective.take(slice(2, 9)).labels == objective.labels[2:]


WRONG = {
    r"^m ffn 2 has channels 0 to 255, not 256$": Channels(SITE, (3, 256)),
    r"^m ffn 2 has channels 0 to 255, not -1$": Channels(SITE, (-1,)),
    r"^there are positions 0 to 63, not 64$": Channels(SITE, (3,), 64),
    r"^there are positions 0 to 63, not -1$": Directions(SITE, (3,), torch.ones(1, 256), -1),
    r"^m ffn 2 has 256 channels, the directions have 64$": Directions(SITE, (3,), torch.ones(1, 64)),
    r"^m has no site 'fnn'; it has ffn, query": Channels(Site("fnn", 0), (3,)),
    r"^m has blocks 0 to 7, not 8$": Channels(Site("ffn", 8), (3,)),
    r"^m logit has channels 0 to 15, not 16$": Logits((16,)),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_the_model_lacks_is_refused_before_a_step_is_made(shared_vit, monkeypatch, message):
    monkeypatch.setattr(torch.optim.Adam, "step", None)
    with pytest.raises(InputError, match=message):
        visualize(shared_vit, WRONG[message], PAPER, batch=1)


def test_a_model_that_is_no_classifier_has_no_logits(clip, shared_vit):
    headless = Model(shared_vit.spec, nn.Sequential(nn.Conv2d(3, 4, 1)), "")
    for model in (clip, headless):
        with pytest.raises(InputError, match=r"has no class logits; visualize a site$"):
            Logits((0,)).bind(model)


def test_torchvisions_classifiers_have_logits():
    model = load(ModelSpec("m", "torchvision", "squeezenet1_1.IMAGENET1K_V1", "cnn", "random", input_size=64))
    assert classes(model) == 1000
