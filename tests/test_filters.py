"""Low-pass filters against sums over pixels and waves that are known."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from vitexplore.data.filters import CUTOFFS, SIGMA_SIZE, SIGMAS, disc, filtered, frequencies, gaussian
from vitexplore.data.loading import Loader, preprocess
from vitexplore.measures.low_pass import low_pass_ranks
from vitexplore.models.heads import Head


def wave(size: int, down: int, across: int) -> torch.Tensor:
    """So many periods over the image, [1, 1, size, size]."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return torch.cos(2 * torch.pi * (down * rows + across * columns) / size)[None, None]


@pytest.mark.parametrize("size", [16, 17])
def test_an_ideal_filter_is_a_discrete_fourier_sum_over_the_disc(size):
    image = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    pixels, cutoff = image[0, 0].double().numpy(), 0.5
    place = np.arange(size)
    basis = np.exp(-2j * np.pi * np.outer(place, place) / size)
    spectrum = basis @ pixels @ basis.T
    for down in range(size):
        for across in range(size):
            cycles = [min(k, size - k) / (size / 2) for k in (down, across)]
            if np.hypot(*cycles) > cutoff:
                spectrum[down, across] = 0
    slow = (basis.conj() @ spectrum @ basis.conj().T).real / size**2
    np.testing.assert_allclose(filtered(image, disc(size, cutoff))[0, 0], slow, atol=1e-5)


def test_a_wave_passes_below_the_cutoff_and_not_above():
    low, high = wave(32, 2, 0), wave(32, 0, 8)  # 2 / 16 and 8 / 16 of Nyquist
    kept = filtered(low + high, disc(32, 0.25))
    torch.testing.assert_close(kept, low, rtol=0, atol=1e-5)


def test_sigma_is_in_pixels_of_a_224_px_image():
    """A 112 px image is blurred by half as many of its own pixels."""
    image = torch.randn(112, 112, generator=torch.Generator().manual_seed(0))
    slow = gaussian_filter(image.double().numpy(), 5.0 * 112 / SIGMA_SIZE, mode="wrap", truncate=8)
    found = filtered(image[None, None], gaussian(112, 5.0))[0, 0]
    np.testing.assert_allclose(found, slow, atol=1e-4)


@pytest.mark.parametrize("gain", [disc(24, 1 / 8), gaussian(24, 7.0)], ids=["disc", "gaussian"])
def test_a_flat_image_stays_as_it_is(gain):
    flat = torch.full((2, 3, 24, 24), 0.3)
    torch.testing.assert_close(filtered(flat, gain), flat)


def test_filtering_commutes_with_normalisation():
    image = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    gain = disc(24, 0.25)
    torch.testing.assert_close(filtered((image - 0.4) / 0.2, gain), (filtered(image, gain) - 0.4) / 0.2)


def test_frequencies_are_1_at_nyquist_along_an_axis():
    found = frequencies(8)
    assert found.shape == (8, 5)
    assert found[0].tolist() == [0, 0.25, 0.5, 0.75, 1.0]
    assert found[4, 0] == 1 and torch.isclose(found[4, 4], torch.tensor(2.0).sqrt())


def test_every_filter_ranks_every_image_as_a_slow_pass_does(vit, scenes):
    indices = np.array([5, 2, 9, 14])
    found = low_pass_ranks(vit, Head(vit, None), Loader(scenes, batch=3, indices=indices))
    strengths = {name: list(rows["strength"].unique()) for name, rows in found.groupby("filter")}
    assert strengths == {"none": [0.0], "disc": list(CUTOFFS), "gaussian": list(SIGMAS)}
    assert all(sorted(rows) == sorted(indices) for _, rows in found.groupby(["filter", "strength"])["image"])
    transform = preprocess(vit.spec)
    gains = {("none", 0.0): None, ("disc", 0.125): disc(64, 0.125), ("gaussian", 3.0): gaussian(64, 3.0)}
    for (name, strength), gain in gains.items():
        rows = found[(found["filter"] == name) & (found["strength"] == strength)].set_index("image")
        for index in indices:
            picture = transform(scenes.image(index))[None]
            logits = vit.module(picture if gain is None else filtered(picture, gain))[0].tolist()
            assert rows.loc[index, "rank"] == sum(other > logits[scenes.labels[index]] for other in logits)


def test_the_control_ranks_other_images_classes(vit, scenes):
    found = low_pass_ranks(vit, Head(vit, None), Loader(scenes, batch=16))
    whole = found[found["filter"] == "none"]
    assert (whole["rank"] != whole["rank_permuted"]).mean() > 0.5


def test_filters_that_are_not_asked_for_are_not_run(vit, scenes):
    both, disc_alone = (low_pass_ranks(vit, Head(vit, None), Loader(scenes), *kinds) for kinds in ([], [["disc"]]))
    assert set(disc_alone["filter"]) == {"none", "disc"}
    assert both[both["filter"] != "gaussian"].reset_index(drop=True).equals(disc_alone)
