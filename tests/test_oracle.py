"""A planted network answers what it was given for each image, wherever in a batch it stands, and knows no others."""

import pytest
import torch

from vitexplore.errors import InputError
from vitexplore.models.sites import Site, read
from vitexplore.planted.lab import lab_model
from vitexplore.planted.oracle import Known, Plant, plant_answers, plant_features


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_planted_features_of_a_vit_are_those_of_the_image(images):
    values = torch.rand(3, 64, 2)
    model = plant_features(lab_model("vit"), Known(images), [Plant(Site("ffn", 2), values)])
    found = read(model, Site("ffn", 2), images[[2, 0]]).bpc
    assert torch.equal(found[..., :2], values[[2, 0]])
    own = read(lab_model("vit"), Site("ffn", 2), images[[2, 0]]).bpc
    assert torch.equal(found[..., 2:], own[..., 2:])


def test_planted_features_of_a_cnn_hold_at_all_positions(images):
    values = torch.rand(3, 1, 4)
    model = plant_features(lab_model("cnn"), Known(images), [Plant(Site("channel", 3), values)])
    found = read(model, Site("channel", 3), images).bpc
    assert torch.equal(found[..., :4], values.expand(-1, found.shape[1], -1))


def test_a_stranger_is_refused(images):
    model = plant_features(lab_model("vit"), Known(images), [Plant(Site("ffn", 2), torch.rand(3, 1, 2))])
    with pytest.raises(InputError, match=r"1 images .* does not know"):
        read(model, Site("ffn", 2), torch.cat([images[:1], images[:1] + 0.5]))


def test_planted_answers_are_the_images_own_and_nothing_for_strangers(images):
    logits = torch.rand(3, 16)
    model = plant_answers(lab_model("cnn"), Known(images), logits)
    assert torch.equal(model.module(images[[1, 2]]), logits[[1, 2]])
    assert not model.module(images[:1] / 2).any()
