"""Images are made of parameters as the formulas say: known spectra give known images, and stay what they were."""

import numpy as np
import pytest
import torch

from vitexplore.visualize.colours import COLOURS
from vitexplore.visualize.parametrize import MARGIN, PARAMETRIZATIONS, Maco
from vitexplore.visualize.spectrum import natural_magnitude, shipped

SIDES = [16, 15]
# lucid/optvis/param/color.py
LUCID = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
LUCID = LUCID / np.linalg.norm(LUCID, axis=0).max()

each = pytest.mark.parametrize("name", PARAMETRIZATIONS)


def generators(count: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + number) for number in range(count)]


def decorrelated(images: torch.Tensor) -> torch.Tensor:
    """Back from images [f, 3, h, w] to the space that Fourier and MACO work in."""
    logits = torch.logit(images.double())
    return torch.einsum("dc,fchw->fdhw", torch.linalg.inv(torch.from_numpy(LUCID)), logits)


def own_conjugates(side: int) -> torch.Tensor:
    """Frequencies of a real transform that have no partner: the mean, and Nyquist's in each axis."""
    alone = torch.zeros(side, side // 2 + 1, dtype=torch.bool)
    ends = [0, side // 2] if side % 2 == 0 else [0]
    alone[np.ix_(ends, ends)] = True
    return alone


@each
@pytest.mark.parametrize("side", SIDES)
def test_each_feature_starts_from_its_own_generator(name, side):
    parametrization = PARAMETRIZATIONS[name]()
    together = parametrization.start(generators(3), side)
    assert together.isfinite().all()
    for f in range(3):
        assert torch.equal(parametrization.start(generators(1, seed=f), side)[0], together[f])
    assert not torch.equal(together[0], together[1])


@each
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("strength", [0, 1, 1000])
def test_images_lie_between_0_and_1_whatever_the_parameters(name, side, strength):
    parametrization = PARAMETRIZATIONS[name]()
    parameters = strength * parametrization.start(generators(2), side)
    parametrization.project_(parameters)
    images = parametrization.images(parameters)
    assert images.shape == (2, 3, side, side)
    assert images.min() >= 0 and images.max() <= 1


@each
def test_the_gradient_equals_finite_differences_and_reaches_the_parameters(name):
    parametrization = PARAMETRIZATIONS[name]()
    parameters = parametrization.start(generators(2), 16).requires_grad_()
    weights = torch.randn(2, 3, 16, 16, generator=generators(1)[0])
    (parametrization.images(parameters) * weights).sum().backward()
    gradient = parameters.grad.double()
    assert (gradient != 0).double().mean() > 0.8  # a frequency that is its own conjugate has no imaginary part
    for direction in torch.randn(3, *parameters.shape, generator=generators(1, seed=5)[0]):
        with torch.no_grad():
            ahead, behind = (
                (parametrization.images(parameters + sign * 1e-3 * direction).double() * weights).sum()
                for sign in (1, -1)
            )
        slope = float(ahead - behind) / 2e-3
        assert slope == pytest.approx(float((gradient * direction).sum()), abs=0.01 * float(gradient.norm()))


# pixels


def test_pixels_are_the_image_itself_from_uniform_noise_and_are_clamped():
    pixels = PARAMETRIZATIONS["pixels"]()
    start = pixels.start(generators(2), 64)
    assert start.mean() == pytest.approx(0.5, abs=0.01) and start.std() == pytest.approx(12**-0.5, abs=0.005)
    assert torch.equal(pixels.images(start), start)
    outside = torch.tensor([-0.1, 0.0, 0.3, 1.0, 1.7])
    pixels.project_(outside)
    assert torch.equal(outside, torch.tensor([0.0, 0.0, 0.3, 1.0, 1.0]))


@pytest.mark.parametrize("name", ["fourier", "maco"])
def test_a_spectrum_is_left_as_it_is_after_a_step(name):
    parametrization = PARAMETRIZATIONS[name]()
    start = 50 * parametrization.start(generators(1), 16)
    after = start.clone()
    parametrization.project_(after)
    assert torch.equal(after, start)


# Fourier


def test_colours_are_lucids_square_root_of_imagenets_covariance():
    assert np.allclose(COLOURS.numpy(), LUCID, atol=1e-6)


@pytest.mark.parametrize("side", SIDES)
def test_no_spectrum_is_uniform_grey(side):
    images = PARAMETRIZATIONS["fourier"]().images(torch.zeros(1, 3, side, side // 2 + 1, 2))
    assert torch.equal(images, torch.full((1, 3, side, side), 0.5))


@pytest.mark.parametrize("down, right", [(0, 1), (3, 2), (13, 4), (8, 5)])
@pytest.mark.parametrize("channel", [0, 2])
def test_one_frequency_is_one_wave_weighed_by_its_length_in_its_decorrelated_colour(down, right, channel):
    side, real, imaginary = 16, 0.7, -0.4
    parameters = torch.zeros(1, 3, side, side // 2 + 1, 2)
    parameters[0, channel, down, right] = torch.tensor([real, imaginary])
    found = PARAMETRIZATIONS["fourier"]().images(parameters)[0].numpy()
    signed = down - side if down > side // 2 else down
    cycles = np.hypot(signed, right) / side
    y, x = np.mgrid[:side, :side]
    angle = 2 * np.pi * (down * y + right * x) / side
    # the wave and its conjugate; lucid's weight is sqrt(h * w) / f, and a quarter of it all
    wave = 2 / side**2 * side / cycles * (real * np.cos(angle) - imaginary * np.sin(angle)) / 4
    for colour in range(3):
        assert np.allclose(found[colour], 1 / (1 + np.exp(-LUCID[colour, channel] * wave)), atol=1e-5)


@pytest.mark.parametrize("side", SIDES)
def test_fourier_equals_lucids_formula_in_numpy(side):
    fourier = PARAMETRIZATIONS["fourier"]()
    parameters = 30 * fourier.start(generators(2), side)
    found = fourier.images(parameters).numpy()
    # lucid/optvis/param/spatial.py
    f = np.sqrt(np.fft.fftfreq(side)[:, None] ** 2 + np.fft.rfftfreq(side)[None] ** 2)
    scale = np.sqrt(side * side) / np.maximum(f, 1 / side)
    spectrum = (parameters[..., 0].numpy() + 1j * parameters[..., 1].numpy()) * scale
    decorrelated_images = np.fft.irfft2(spectrum, s=(side, side)) / 4
    correlated = np.einsum("fdhw,cd->fchw", decorrelated_images, LUCID)
    assert np.allclose(found, 1 / (1 + np.exp(-correlated)), atol=1e-5)


# MACO


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("given", [False, True])
def test_maco_keeps_each_frequencys_magnitude_the_shipped_one_if_left_out_whatever_the_phases(side, given):
    magnitude = 1 + 5 * torch.rand(3, side, side // 2 + 1, generator=generators(1, seed=3)[0])
    first = -torch.arange(side) % side
    for column in (0, -1):  # both of a pair of conjugates are in these: a real image has them alike
        magnitude[:, side // 2 + 1 :, column] = magnitude[:, first, column][:, side // 2 + 1 :]
    maco = Maco(magnitude if given else None)
    strengths = torch.tensor([1, 3, 50.0]).view(3, 1, 1, 1)
    phases = strengths * torch.randn(3, 3, side, side // 2 + 1, generator=generators(1)[0])
    found = torch.fft.rfft2(decorrelated(maco.images(phases))).abs()
    paired = ~own_conjugates(side)
    if not given:
        magnitude = shipped(side, torch.device("cpu"))
    assert torch.allclose(found[..., paired], magnitude[..., paired].double().expand(3, -1, -1), rtol=1e-3, atol=1e-2)
    assert (found[..., ~paired] <= magnitude[..., ~paired] + 1e-2).all()  # these keep the cosine of their phase


def test_the_natural_magnitude_of_one_image_with_its_phases_is_that_image():
    side = 16
    image = torch.rand(1, 3, side, side, generator=generators(1)[0]) * 0.9 + 0.05
    phases = torch.fft.rfft2(decorrelated(image)).angle().float()
    assert torch.allclose(Maco(natural_magnitude(image)).images(phases), image, atol=1e-4)


# from images


def photograph(side: int) -> torch.Tensor:
    """Two unlike images with black, white and everything between: [2, 3, side, side]."""
    images = torch.rand(2, 3, side, side, generator=generators(1)[0])
    images[:, :, : side // 4] = 0.0
    images[:, :, -side // 4 :, : side // 2] = 1.0
    return images


@each
@pytest.mark.parametrize("side", SIDES)
def test_the_parameters_of_images_give_them_back(name, side):
    images = photograph(side)
    parametrization, parameters = PARAMETRIZATIONS[name]().of(images)
    found = parametrization.images(parameters)
    assert (found - images).abs().max() < MARGIN + 1e-4
    assert (found - images.clamp(MARGIN, 1 - MARGIN)).abs().max() < (1e-4 if name != "pixels" else MARGIN + 1e-6)
    assert ((found * 255).round() - (images * 255).round()).abs().max() <= 1


def test_parameters_of_images_are_no_view_of_them():
    images = photograph(16)
    _, parameters = PARAMETRIZATIONS["pixels"]().of(images)
    parameters += 1
    assert images.max() == 1


def test_maco_of_images_keeps_each_images_own_magnitude_whatever_the_phases():
    images = photograph(16)
    maco, phases = Maco().of(images)
    own = torch.fft.rfft2(decorrelated(images.clamp(MARGIN, 1 - MARGIN))).abs()
    other = phases + torch.randn(phases.shape, generator=generators(1)[0])
    paired = ~own_conjugates(16)
    found = torch.fft.rfft2(decorrelated(maco.images(other))).abs()
    assert torch.allclose(found[..., paired], own[..., paired], rtol=1e-2, atol=1e-2)
    assert (maco.images(other) - images).abs().mean() > 0.1
