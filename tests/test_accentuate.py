"""Pictures that begin with an image: the image itself, the feature brought out in it, or both, as the weight says; and
pictures of another size than the model's."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vitexplore.errors import InputError
from vitexplore.models.registry import Model, at_size, load
from vitexplore.models.sites import Site, read
from vitexplore.models.spec import ModelSpec
from vitexplore.visualize.accentuate import Near
from vitexplore.visualize.objective import Channels, channel
from vitexplore.visualize.optimize import normaliser, visualize
from vitexplore.visualize.parametrize import MARGIN, PARAMETRIZATIONS
from vitexplore.visualize.recipes import FAST, PAPER

FEATURES = Channels(Site("ffn", 2), (3, 17, 40))
EARLIER = Site("block", 0)
RECIPES = {"pixels": replace(PAPER, steps=30, copies=1, augmentations=("jitter",), learning_rate=0.02)}
RECIPES["fourier"] = replace(FAST, steps=30, learning_rate=0.02)
RECIPES["maco"] = replace(RECIPES["fourier"], parametrization="maco")

each = pytest.mark.parametrize("name", PARAMETRIZATIONS)


@pytest.fixture(scope="module")
def cnn() -> Model:
    return load(ModelSpec("c", "lab", "lab_cnn", "cnn", weights="random"))


@pytest.fixture(scope="module")
def start(scenes) -> torch.Tensor:
    """Three scenes: [3, 3, 64, 64]."""
    return torch.from_numpy(scenes.pixels[:3]).permute(0, 3, 1, 2).float() / 255


# from an image


@each
def test_without_a_step_ahead_each_feature_gets_its_image_back(shared_vit, start, name):
    """In batches, the last of another size."""
    still = replace(RECIPES[name], steps=2, learning_rate=0.0)
    found = visualize(shared_vit, FEATURES, still, batch=2, start=start)
    assert (found.images - start).abs().max() < MARGIN + 1e-4


@each
def test_from_an_image_the_feature_grows_and_the_image_stays_more_like_itself_than_like_another(
    shared_vit, start, name
):
    recipe = replace(RECIPES[name], tv=0.0, augmentations=())
    found = visualize(shared_vit, FEATURES, recipe, start=start)
    still = visualize(shared_vit, FEATURES, replace(recipe, learning_rate=0.0), start=start)
    assert (found.score > still.score).all()
    apart = (found.images[:, None] - start[None]).flatten(2).norm(dim=2)
    assert apart.argmin(1).tolist() == [0, 1, 2] and (apart.diagonal() > 0).all()


def test_a_picture_from_an_image_does_not_depend_on_what_else_is_in_the_batch(shared_vit, start):
    together = visualize(shared_vit, FEATURES, RECIPES["maco"], batch=3, start=start, near=Near(EARLIER, 1.0))
    alone = visualize(shared_vit, FEATURES, RECIPES["maco"], batch=1, start=start, near=Near(EARLIER, 1.0))
    assert torch.allclose(together.images, alone.images, atol=1e-3)


def test_the_image_to_start_from_is_left_as_it_is(shared_vit, start):
    before = start.clone()
    visualize(shared_vit, FEATURES, replace(RECIPES["pixels"], steps=2), start=start)
    assert torch.equal(start, before)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (torch.zeros(3, 3, 32, 32), r"start is \[3, 3, 32, 32\], not \[3, 3, 64, 64\]: an image for each feature"),
        (torch.zeros(1, 3, 64, 64), r"start is \[1, 3, 64, 64\], not \[3, 3, 64, 64\]: an image for each feature"),
        (torch.full((3, 3, 64, 64), 1.1), r"start has pixels outside \[0, 1\]; leave out the model's normalisation"),
        (torch.full((3, 3, 64, 64), torch.nan), r"start has pixels outside \[0, 1\]"),
        (None, "near: there is nothing to stay near; name images to start from"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(shared_vit, wrong, message):
    near = Near(EARLIER, 1.0) if wrong is None else None
    with pytest.raises(InputError, match=f"^{message}"):
        visualize(shared_vit, FEATURES, RECIPES["pixels"], start=wrong, near=near)


# near it


def test_the_distance_equals_explicit_loops(shared_vit, start):
    normalise, other = normaliser(shared_vit), start.flip(0)
    found = Near(EARLIER, 2.5).bind(shared_vit, normalise(start))(normalise(other))
    seen, wanted = (read(shared_vit, EARLIER, normalise(images)).bpc.double().numpy() for images in (other, start))
    for f in range(3):
        apart = [np.sqrt(((seen[f, p] - wanted[f, p]) ** 2).sum()) for p in range(seen.shape[1])]
        long = [np.sqrt((wanted[f, p] ** 2).sum()) for p in range(seen.shape[1])]
        assert found[f].item() == pytest.approx(2.5 * np.mean(apart) / np.mean(long), rel=1e-4)


def test_the_distance_to_itself_is_zero_and_so_is_its_gradient(shared_vit, start):
    images = start.clone().requires_grad_()
    Near(EARLIER, 1.0).bind(shared_vit, start)(images).sum().backward()
    assert torch.equal(images.grad, torch.zeros_like(images))


@each
def test_the_heavier_the_distance_the_nearer_the_image_and_with_a_large_weight_it_is_kept(shared_vit, start, name):
    normalise = normaliser(shared_vit)
    distance = Near(EARLIER, 1.0).bind(shared_vit, normalise(start))
    far = []
    for weight in (0.0, 1.0, 1000.0):
        found = visualize(shared_vit, FEATURES, RECIPES[name], start=start, near=Near(EARLIER, weight))
        far.append(distance(normalise(found.images)))
    assert (far[0] > far[1]).all() and (far[1] > far[2]).all()
    assert (far[2] < 0.1 * far[0]).all()


def test_a_site_that_the_model_lacks_is_refused(shared_vit, start):
    with pytest.raises(InputError, match="blocks 0 to"):
        visualize(shared_vit, FEATURES, RECIPES["pixels"], start=start, near=Near(Site("block", 99), 1.0))


# of another size


@each
@pytest.mark.parametrize("size", [48, 97, 128])
def test_a_cnns_pictures_are_of_any_size(cnn, name, size):
    recipe = replace(RECIPES[name], steps=2)
    found = visualize(at_size(cnn, size), channel(1, 3, 5), recipe, transparency=True)
    assert found.images.shape == (2, 3, size, size) and found.transparency.shape == (2, size, size)
    expected = read(cnn, Site("channel", 1), normaliser(cnn)(found.images)).bpc.mean(1)
    assert torch.allclose(found.score, expected[[0, 1], [3, 5]], rtol=1e-3, atol=1e-5)


def test_a_position_is_one_of_the_grid_of_that_size(cnn):
    recipe = replace(RECIPES["pixels"], steps=1)
    (rows, columns) = read(at_size(cnn, 128), Site("channel", 1), torch.zeros(1, 3, 128, 128)).grid
    last = rows * columns - 1
    visualize(at_size(cnn, 128), channel(1, 3, position=last), recipe)
    for position, size in ((last, 64), (last + 1, 128)):
        with pytest.raises(InputError, match=r"there are positions 0 to"):
            visualize(at_size(cnn, size), channel(1, 3, position=position), recipe)


def test_another_size_leaves_the_model_as_it_was(cnn):
    larger = at_size(cnn, 128)
    assert (larger.spec.input_size, cnn.spec.input_size) == (128, 64) and larger.module is cnn.module
    assert at_size(cnn, 64) is cnn


def test_a_transformer_is_to_be_loaded_at_another_size(shared_vit):
    with pytest.raises(InputError, match=r"^m takes images of 64 pixels, not 128; load it with input_size=128$"):
        at_size(shared_vit, 128)
    assert at_size(shared_vit, 64) is shared_vit


@pytest.mark.parametrize("size", [0, -3])
def test_a_size_of_nothing_is_refused(cnn, size):
    with pytest.raises(InputError, match=rf"^c takes images of 64 pixels, not {size}; choose 1 or more$"):
        at_size(cnn, size)
