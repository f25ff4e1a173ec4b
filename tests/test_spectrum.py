"""The mean spectrum of photographs: computed as the formula says, brought to any side, shipped with its record."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from scipy.interpolate import RegularGridInterpolator
from torchvision.transforms.functional import center_crop, resize, to_tensor

from vitexplore.data.photos import folder_of_photos
from vitexplore.errors import InputError
from vitexplore.io import sha256
from vitexplore.tools.spectrum import spectrum
from vitexplore.visualize.colours import COLOURS, correlate, decorrelate
from vitexplore.visualize.spectrum import (
    MARGIN,
    SHIPPED,
    frequencies,
    natural_magnitude,
    pixel_variance,
    resampled,
    shipped,
)

SIDES = [16, 15]
CPU = torch.device("cpu")
PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "photos" / "images"


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def natural(side: int, count: int = 1) -> torch.Tensor:
    """Images whose magnitudes fall about as 1/f."""
    noise = torch.fft.rfft2(torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1)))
    return correlate(torch.fft.irfft2(noise * 0.05 / frequencies(side).clamp_min(1 / side), s=(side, side)))


@pytest.mark.parametrize("side", SIDES)
def test_frequencies_are_cycles_a_pixel(side):
    found = frequencies(side)
    for row in range(side):
        for column in range(side // 2 + 1):
            down = min(row, side - row) / side
            assert found[row, column] == pytest.approx((down**2 + (column / side) ** 2) ** 0.5)


def test_decorrelating_is_the_inverse_up_to_the_margin():
    colours = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(decorrelate(correlate(colours), 1e-6), colours, atol=1e-4)
    clipped = correlate(decorrelate(torch.tensor([0.0, 0.5, 1.0]).expand(1, 3, 1, 3), 0.1))
    assert torch.allclose(clipped, torch.tensor([0.1, 0.5, 0.9]).expand(1, 3, 1, 3), atol=1e-5)


# of images


def test_the_natural_magnitude_of_white_noise_is_flat():
    """Its coefficients are complex normal: the mean of their magnitude is sqrt(pi) / 2 of their standard deviation."""
    side, std, count = 16, 0.2, 400
    noise = std * torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))
    found = natural_magnitude(torch.sigmoid(torch.einsum("cd,ndhw->nchw", COLOURS, noise)))
    assert found.shape == (3, side, side // 2 + 1)
    alone = torch.zeros(side, side // 2 + 1, dtype=torch.bool)
    alone[np.ix_([0, side // 2], [0, side // 2])] = True  # their own conjugates: these are real
    expected = std * side * np.pi**0.5 / 2
    spread = (4 / np.pi - 1) ** 0.5  # of one magnitude, in units of its mean
    assert found[:, ~alone].mean() == pytest.approx(expected, rel=0.01)
    assert (found[:, ~alone] / expected - 1).abs().max() < 5 * spread / count**0.5
    assert found[:, alone].mean() == pytest.approx(std * side * (2 / np.pi) ** 0.5, rel=0.1)


def test_natural_magnitude_averages_over_images():
    images = random(3, 3, 8, 8)
    alone = torch.stack([natural_magnitude(image[None]) for image in images])
    assert torch.allclose(natural_magnitude(images), alone.mean(0), rtol=1e-5)


def test_black_and_white_pixels_have_a_magnitude_too():
    assert natural_magnitude((random(2, 3, 8, 8) > 0.5).float()).isfinite().all()


@pytest.mark.parametrize("side", SIDES)
def test_the_variance_of_a_magnitude_is_that_of_its_images_pixels(side):
    image = natural(side)
    pixels = decorrelate(image, MARGIN)[0].double()
    expected = pixels.var((1, 2), correction=0)
    assert torch.allclose(pixel_variance(natural_magnitude(image)).double(), expected, rtol=1e-4)


# at another side


@pytest.mark.parametrize("own", [32, 31])
@pytest.mark.parametrize("side", [16, 21, 31, 32, 48])
def test_resampling_equals_interpolation_on_the_full_plane_of_frequencies(own, side):
    """By SciPy, over all rows and columns, where only their signs are missing from a real transform."""
    magnitude = natural_magnitude(natural(own))
    found = resampled(magnitude, side)
    assert found.shape == (3, side, side // 2 + 1)
    flat = (magnitude * frequencies(own)).double().numpy()
    flat[:, 0, 0] = (flat[:, 0, 1] + flat[:, 1, 0]) / 2
    rows = np.arange(-own, own + 1)  # two periods
    axes = (rows / own, np.arange(own // 2 + 1) / own)
    down, right = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side).clip(max=axes[1][-1]), indexing="ij")
    for colour in range(3):
        values = flat[colour, rows % own]
        expected = RegularGridInterpolator(axes, values)((down, right)) / frequencies(side).clamp_min(1 / side).numpy()
        ratio = found[colour].numpy() / expected
        ratio = ratio.flatten()[1:]  # without the mean
        assert np.allclose(ratio, np.median(ratio), rtol=1e-3)


@pytest.mark.parametrize("side", [16, 21, 32, 48])
def test_resampling_keeps_mean_and_variance_of_the_pixels_of_each_colour(side):
    magnitude = natural_magnitude(natural(32))
    found = resampled(magnitude, side)
    assert torch.allclose(pixel_variance(found), pixel_variance(magnitude), rtol=1e-4)
    assert torch.allclose(found[:, 0, 0] / side**2, magnitude[:, 0, 0] / 32**2)


@pytest.mark.parametrize("own", [32, 31])
def test_at_its_own_side_a_magnitude_stays_as_it_is(own):
    magnitude = natural_magnitude(natural(own))
    assert torch.allclose(resampled(magnitude, own), magnitude, rtol=1e-4)


@pytest.mark.parametrize("side", [24, 64, 96])
def test_one_over_f_stays_one_over_f(side):
    one_over_f = (1 / frequencies(64).clamp_min(1 / 64)).expand(3, -1, -1).clone()
    one_over_f[:, 0, 0] = 5.0
    slope = (resampled(one_over_f, side) * frequencies(side)).flatten(1)[:, 1:]
    assert torch.allclose(slope, slope[:, :1].expand_as(slope), rtol=1e-4)


# what is shipped


def test_the_shipped_magnitude_is_that_of_its_record():
    record = json.loads(SHIPPED.with_suffix(".json").read_text())
    assert sha256(SHIPPED) == record["sha256"]
    assert SHIPPED.stat().st_size < 300_000
    found = shipped(record["side"], CPU)
    assert found.shape == (3, record["side"], record["side"] // 2 + 1)
    assert pixel_variance(found).tolist() == pytest.approx(record["pixel_variance"], rel=1e-3)


def test_the_shipped_magnitude_falls_with_frequency_and_is_largest_upright_and_level():
    """As that of photographs does, whose edges are mostly upright or level."""
    found, f = shipped(256, CPU).mean(0), frequencies(256)
    octaves = [float(found[(f >= low) & (f < 2 * low)].mean()) for low in (0.02, 0.04, 0.08, 0.16)]
    for lower, higher in pairwise(octaves):  # exponents about photographs' (van der Schaaf and van Hateren 1996)
        assert 0.9 < np.log2(lower / higher) < 1.5
    ring = (f > 0.1) & (f < 0.2)
    axes = torch.zeros_like(ring)
    axes[0], axes[:, 0] = True, True
    assert found[ring & axes].mean() > 1.5 * found[ring & ~axes].mean()


@pytest.mark.slow
@pytest.mark.skipif(not PHOTOS.exists(), reason="the folder of photographs is not there")
@pytest.mark.parametrize("side", [168, 224, 384])
def test_brought_to_another_side_it_is_about_that_of_the_photographs_at_that_side(side, tmp_path):
    photographs = folder_of_photos(PHOTOS)
    large = [each for each in map(photographs.image, range(len(photographs))) if min(each.size) >= 256]
    alone = (natural_magnitude(to_tensor(center_crop(resize(each, [side]), [side]))[None]) for each in large)
    expected, found, f = sum(alone) / len(large), shipped(side, CPU), frequencies(side)
    assert torch.allclose(found[:, 0, 0], expected[:, 0, 0], rtol=0.02)
    assert torch.allclose(pixel_variance(found), pixel_variance(expected), rtol=0.1)
    for low, high in ((0.9 / side, 0.025), (0.025, 0.1), (0.1, 0.25), (0.25, 0.5)):
        ring = (f > low) & (f <= high)
        assert torch.allclose(found[:, ring].mean(1), expected[:, ring].mean(1), rtol=0.12)


def test_a_spectrum_of_a_folder_is_that_of_its_photographs_and_says_which(tmp_path):
    folder, out = tmp_path / "photographs", tmp_path / "mine.safetensors"
    for number, (width, height) in enumerate([(40, 32), (32, 50), (64, 64), (31, 80)]):
        (folder / str(number % 2)).mkdir(parents=True, exist_ok=True)
        pixels = (random(height, width, 3, seed=number) * 255).byte().numpy()
        Image.fromarray(pixels).save(folder / str(number % 2) / f"{number}.png")
    spectrum(folder, 32, out)
    photographs = folder_of_photos(folder)
    large = [photographs.image(index) for index in range(4) if min(photographs.image(index).size) >= 32]
    expected = natural_magnitude(torch.stack([to_tensor(center_crop(resize(each, [32]), [32])) for each in large]))
    assert torch.allclose(load_file(out)["magnitude"].float() * 32, expected, rtol=2e-3)
    record = json.loads(out.with_suffix(".json").read_text())
    assert (record["photographs"], record["left_out"], record["side"]) == (3, 1, 32)
    assert record["sha256"] == sha256(out)
    before = record["photographs_sha256"]
    (folder / "1" / "3.png").unlink()  # one that was too small
    (folder / "0" / "0.png").rename(folder / "1" / "0.png")
    spectrum(folder, 32, out)
    assert json.loads(out.with_suffix(".json").read_text())["photographs_sha256"] == before


def test_photographs_that_are_all_too_small_are_refused(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="all photographs are smaller than 32 pixels; choose a smaller --side"):
        spectrum(tmp_path, 32, tmp_path / "out.safetensors")
