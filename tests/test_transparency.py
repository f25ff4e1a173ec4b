"""The mask says where in its image a feature is: where the objective pulled, and nothing else did."""

import io
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from vitexplore.errors import InputError
from vitexplore.models.registry import Model
from vitexplore.png import decode, encode
from vitexplore.visualize.augment import JITTER
from vitexplore.visualize.objective import Objective
from vitexplore.visualize.optimize import normaliser, visualize
from vitexplore.visualize.parametrize import PARAMETRIZATIONS
from vitexplore.visualize.recipes import PAPER
from vitexplore.visualize.transparency import opacity

SIDE = 64
PLAIN = replace(PAPER, steps=3, copies=2, augmentations=(), tv=1.0)

each = pytest.mark.parametrize("name", PARAMETRIZATIONS)


@dataclass(frozen=True)
class Planted(Objective):
    """Weighs pixels [f, 3, h, w] and adds them up: its gradient is the weights, at every step."""

    weights: Tensor
    labels: tuple[int, ...]

    sites = ()

    def take(self, part: slice) -> "Planted":
        return Planted(self.weights[part], self.labels[part])

    def prepare(self, model, sizes):
        raise NotImplementedError

    def bind(self, model: Model, *_):
        weights = self.weights[:, None]
        return lambda images: (images.unflatten(0, (len(weights), -1)) * weights).sum((2, 3, 4))


def planted(*corners: tuple[int, int]) -> Planted:
    """A feature for each of ``corners``, which reads 8 x 8 pixels from there on."""
    weights = torch.zeros(len(corners), 3, SIDE, SIDE)
    for weight, (top, left) in zip(weights, corners, strict=True):
        weight[:, top : top + 8, left : left + 8] = torch.tensor([1.0, -1.0, 0.5])[:, None, None]
    return Planted(weights, tuple(range(len(corners))))


@each
def test_a_feature_that_reads_a_corner_is_seen_there_and_nowhere_else(shared_vit, name):
    """In spite of total variation, which pulls at every pixel; and each feature in its own mask."""
    corners = [(0, 0), (56, 56), (20, 40)]
    found = visualize(shared_vit, planted(*corners), replace(PLAIN, parametrization=name), batch=2, transparency=True)
    expected = torch.zeros(3, SIDE, SIDE)
    for mask, (top, left) in zip(expected, corners, strict=True):
        mask[top : top + 8, left : left + 8] = 1
    assert torch.equal(found.transparency, expected)


@each
def test_the_mask_is_the_absolute_gradient_averaged_over_colours_and_cut_at_the_80th_percentile(shared_vit, name):
    weights = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    objective = Planted(weights, (0, 1))
    found = visualize(shared_vit, objective, replace(PLAIN, parametrization=name), transparency=True)
    std = np.array(shared_vit.spec.std)[:, None, None]
    for f in range(2):
        pull = np.abs(weights[f].numpy() / std).mean(0)
        top = np.percentile(pull, 80, method="higher")
        assert np.allclose(found.transparency[f].numpy(), np.minimum(pull / top, 1), atol=2e-3)


@each
def test_under_jitter_the_mask_lies_in_the_image_not_in_its_copies(shared_vit, name):
    """What is read in the middle of shifted copies lies within the reach of the shift, and moves with it."""
    recipe = replace(PLAIN, parametrization=name, augmentations=("jitter",), steps=12)
    mask = visualize(shared_vit, planted((28, 28)), recipe, transparency=True).transparency[0]
    reach = round(SIDE * JITTER)
    outside = mask.clone()
    outside[28 - reach : 36 + reach, 28 - reach : 36 + reach] = 0
    assert outside.max() == 0
    assert (mask > 0).sum() > 64  # the shifts spread it


def test_recording_changes_no_picture(shared_vit):
    plain, recorded = (
        visualize(shared_vit, planted((0, 0), (8, 8)), PLAIN, transparency=transparency)
        for transparency in (False, True)
    )
    assert plain.transparency is None
    assert torch.equal(plain.images, recorded.images) and torch.equal(plain.loss, recorded.loss)


def test_opacity_of_a_ramp_and_of_nothing():
    ramp = torch.arange(100.0).view(1, 10, 10)
    assert torch.allclose(opacity(ramp), (ramp / 79).clamp_max(1))
    assert torch.equal(opacity(torch.zeros(2, 3, 3)), torch.zeros(2, 3, 3))


def test_pngs_carry_the_mask_as_alpha(shared_vit):
    found = visualize(shared_vit, planted((0, 0)), PLAIN, transparency=True)
    written = encode(found.rgba[0])
    with Image.open(io.BytesIO(written)) as image:
        assert image.mode == "RGBA"
        pixels = np.asarray(image)
    assert np.array_equal(pixels[..., 3], (found.transparency[0].numpy() * 255).round())
    assert np.array_equal(pixels[..., :3], decode(encode(found.images[0])))
    assert np.array_equal(decode(written), pixels[..., :3])


def test_alpha_that_was_not_recorded_is_not_made_up(shared_vit):
    found = visualize(shared_vit, planted((0, 0)), PLAIN)
    with pytest.raises(InputError, match="visualize with transparency=True"):
        found.rgba  # noqa: B018


def test_the_planted_objective_is_what_it_says(shared_vit):
    """Of the normalised image: its gradient to the pixels is the weights over the standard deviations."""
    objective, image = planted((0, 0)), torch.rand(1, 3, SIDE, SIDE, requires_grad=True)
    objective.bind(shared_vit)(normaliser(shared_vit)(image)).sum().backward()
    std = torch.tensor(shared_vit.spec.std)[:, None, None]
    assert torch.allclose(image.grad[0], objective.weights[0] / std)
