"""Other libraries, where they are installed: each raises the activation of a ViT's and a CNN's feature, and takes as
many passes as its documents say."""

import pytest
import torch
from torchvision.transforms.functional import center_crop

from vitexplore.models.catalogue import named
from vitexplore.models.registry import load
from vitexplore.models.sites import Site, read
from vitexplore.tools.peers import OURS, horama, lucent, ours, torch_dreams
from vitexplore.tools.peers.run import counted
from vitexplore.tools.peers.way import Wanted
from vitexplore.visualize.optimize import normaliser

PLACES = [("lab/vit", Site("ffn", 2)), ("lab/cnn", Site("channel", 2))]


@pytest.fixture(params=PLACES, ids=["vit", "cnn"])
def wanted(request) -> Wanted:
    name, site = request.param
    model = load(named(name))
    with torch.no_grad():
        channel = read(model, site, torch.zeros(1, 3, 64, 64)).bpc.mean((0, 1)).argmax()  # a loud one
    return Wanted(model, site, int(channel), torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))


def activation(wanted: Wanted, picture: torch.Tensor, seen: float) -> float:
    """On the middle of the picture: as much of its side as the model is shown at once."""
    picture = center_crop(picture, [round(seen * picture.shape[-1])])
    fitted = torch.nn.functional.interpolate(picture[None], size=(64, 64), mode="bilinear", antialias=True)
    with torch.no_grad():
        images = normaliser(wanted.model)(fitted)
        return float(read(wanted.model, wanted.site, images).bpc[..., wanted.channel].mean())


@pytest.mark.parametrize(
    ("needs", "draw", "steps", "passes", "side", "seen"),
    [
        ("kornia", lucent.draw, 100, 1, 128, 1),  # lucent itself is not imported without its shim
        ("torch_dreams", torch_dreams.draw, 120, 1, 256, 1),
        ("horama", horama.draw_maco, 25, 6, 1280, horama.SEEN),
    ],
    ids=["lucent", "torch_dreams", "horama_maco"],
)
def test_a_peer_raises_the_activation(needs, draw, steps, passes, side, seen, wanted):
    pytest.importorskip(needs)
    torch.manual_seed(0)
    with counted(wanted.model.trunk) as images:
        late = draw(wanted, steps=steps)
    assert sum(images) == passes * steps and late.shape == (3, side, side)
    assert 0 <= late.min() < late.max() <= 1
    torch.manual_seed(0)
    assert activation(wanted, late, seen) > activation(wanted, draw(wanted, steps=1), seen)


def test_the_spectrum_of_photographs_is_that_of_horamas_own_colours():
    common = pytest.importorskip("horama.common")
    angle = 2 * torch.pi * torch.arange(64) / 64
    wave = torch.stack([torch.zeros(64, 64), torch.cos(3 * angle)[:, None] * torch.cos(5 * angle), torch.zeros(64, 64)])
    photograph = 0.5 + common.recorrelate_colors(wave, "cpu")
    found = horama.spectrum(torch.stack([photograph, 1 - photograph]))  # waves of opposite phase do not cancel
    assert found.shape == (3, 64, 33)
    loud = (found > 1e-2).nonzero().tolist()
    assert loud == [[1, 3, 5], [1, 61, 5]]


def test_a_version_of_ours_tells_recipes_apart():
    found = {way.name: way.version() for way in OURS}
    assert len(set(found.values())) == len(found) and all(version.startswith("0.") for version in found.values())
    assert ours.version("paper")() not in found.values()


def test_passes_of_ours_are_counted_where_they_run(wanted):
    """A CNN runs as a folded twin; two passes more than steps: the trial that finds the shapes, and the clean image."""
    (fast,) = (way for way in OURS if way.name == "fast")
    fast.draw(wanted, steps=1)
    with counted(fast.network(wanted)) as images:
        fast.draw(wanted, steps=3)
    assert 3 < sum(images) <= 6
