"""As a set, natural images are at no distance from natural images; noise and grey are. One picture's distance is from
their mean, so that a bland one may be nearer than they are themselves."""

from itertools import combinations

import numpy as np
import pytest
import torch

from vitexplore.data.loading import Loader
from vitexplore.data.scene_sets import scene_set
from vitexplore.models.catalogue import named
from vitexplore.models.registry import embed, load
from vitexplore.visualize.optimize import normaliser
from vitexplore.visualize.quality import kernel_distance, kernel_distance_of_sets, natural_kernel_distance


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def kernel(x: np.ndarray, y: np.ndarray) -> float:
    cosine = sum(a * b for a, b in zip(x, y, strict=True)) / sum(a * a for a in x) ** 0.5 / sum(b * b for b in y) ** 0.5
    return ((cosine + 1) / 2) ** 3


def to_the_mean(picture: np.ndarray, natural: np.ndarray) -> float:
    """By the definition, pair by pair."""
    across = np.mean([kernel(picture, each) for each in natural])
    within = np.mean([kernel(a, b) for a, b in combinations(natural, 2)])
    return kernel(picture, picture) - 2 * across + within


def test_kernel_distance_against_its_definition():
    pictures, natural = noise(3, 5), noise(6, 5, seed=1)
    expected = [to_the_mean(picture, natural.double().numpy()) for picture in pictures.double().numpy()]
    assert kernel_distance(pictures, natural).tolist() == pytest.approx(expected)


def test_a_natural_image_is_compared_with_the_others():
    natural = noise(6, 5).double().numpy()
    expected = [to_the_mean(each, np.delete(natural, i, axis=0)) for i, each in enumerate(natural)]
    assert natural_kernel_distance(torch.tensor(natural)).tolist() == pytest.approx(expected)


def test_the_distance_of_sets_against_its_definition():
    pictures, natural = noise(4, 5).double().numpy(), 2 * noise(6, 5, seed=1).double().numpy()
    within = sum(np.mean([kernel(a, b) for a, b in combinations(each, 2)]) for each in (pictures, natural))
    expected = within - 2 * np.mean([kernel(picture, each) for picture in pictures for each in natural])
    assert kernel_distance_of_sets(torch.tensor(pictures), torch.tensor(natural)) == pytest.approx(expected)


def test_a_known_case():
    """Natural images in one direction: a picture in that one, whatever its length, at a right angle (kernel 1/8), and
    opposite (kernel 0)."""
    natural = torch.tensor([[2.0, 0.0]]).repeat(4, 1)
    pictures = torch.tensor([[5.0, 0.0], [0.0, 1.0], [-3.0, 0.0]])
    assert kernel_distance(pictures, natural).tolist() == pytest.approx([0, 1.75, 2])
    assert kernel_distance_of_sets(pictures[1:2].repeat(2, 1), natural) == pytest.approx(1.75)


def test_draws_of_the_same_images_are_at_no_distance_on_average():
    draws = [kernel_distance_of_sets(noise(10, 8, seed=2 * i), noise(20, 8, seed=2 * i + 1)) for i in range(300)]
    assert abs(np.mean(draws)) < 4 * np.std(draws) / 300**0.5
    assert kernel_distance_of_sets(noise(10, 8) + 2, noise(20, 8, seed=1)) > 10 * np.std(draws)


@pytest.fixture(scope="module")
def embedded() -> dict[str, torch.Tensor]:
    """By the lab's CNN: scenes to compare with, as many others, noise, and grey images."""
    model = load(named("lab/cnn"))
    shape = (40, 3, 64, 64)
    made = {"noise": torch.rand(shape, generator=torch.Generator().manual_seed(0)), "grey": torch.full(shape, 0.5)}
    with torch.no_grad():
        found = {name: embed(model, normaliser(model)(images)) for name, images in made.items()}
        ((_, scenes),) = Loader(scene_set("test", 80), batch=80).batches(model.spec)
        found["natural"], found["others"] = embed(model, scenes).split(40)
    return found


def test_as_sets_other_scenes_are_natural_and_neither_noise_nor_grey_is(embedded):
    found = {name: kernel_distance_of_sets(each, embedded["natural"]) for name, each in embedded.items()}
    assert abs(found["others"]) < min(found["noise"], found["grey"]) / 10


def test_one_by_one_a_scene_is_as_far_as_the_scenes_are_from_each_other_and_grey_is_nearer(embedded):
    """What the distance of one picture cannot tell: from bland to natural."""
    own = natural_kernel_distance(embedded["natural"]).mean().item()
    others, grey = (kernel_distance(embedded[name], embedded["natural"]).mean().item() for name in ("others", "grey"))
    assert others == pytest.approx(own, rel=0.2)
    assert grey < own


@pytest.mark.parametrize(
    "measure, least", [(kernel_distance, 2), (natural_kernel_distance, 3), (kernel_distance_of_sets, 2)]
)
def test_too_few_images_are_refused(measure, least):
    pictures = [] if measure is natural_kernel_distance else [noise(2, 4)]
    measure(*pictures, noise(least, 4))
    with pytest.raises(ValueError, match=f"needs {least} images or more, not {least - 1}"):
        measure(*pictures, noise(least - 1, 4))


def test_one_picture_is_no_set():
    with pytest.raises(ValueError, match="needs 2 images or more, not 1"):
        kernel_distance_of_sets(noise(1, 4), noise(5, 4))
