"""A CNN whose batch normalisations are folded is the same function at every site."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, read_many, sites
from vitexplore.models.spec import ModelSpec
from vitexplore.visualize.fold import faster, folded

IMAGE = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def stirred(module: nn.Module) -> Model:
    """With statistics and gains of a network that was trained, not those that make a normalisation the identity."""
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.1, generator=generator)
            nn.init.uniform_(part.running_var, 0.5, 2, generator=generator)
            nn.init.uniform_(part.weight, 0.5, 2, generator=generator)
            nn.init.normal_(part.bias, std=0.1, generator=generator)
    spec = ModelSpec("m", "timm", "mine", "cnn", "random", input_size=64)
    return Model(spec, module.eval().requires_grad_(False), "")


def norms(model: Model) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in model.module.modules())


def on_image(model: Model) -> dict[Site, torch.Tensor]:
    """The activations at every site."""
    wanted = [Site("channel", block) for block in range(sites(model)["channel"])]
    with torch.no_grad():
        return {site: found.bpc for site, found in read_many(model, wanted, IMAGE).items()}


NAMES = pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18", "densenet121"])


@NAMES
def test_the_same_activations_with_fewer_normalisations(name):
    model = stirred(timm.create_model(name))
    before = norms(model)
    twin = faster(model)
    assert norms(twin) <= before / 1.9
    assert norms(model) == before  # the original stays as it is
    acts, twin_acts = on_image(model), on_image(twin)
    for site in acts:
        torch.testing.assert_close(twin_acts[site], acts[site], rtol=1e-3, atol=1e-4 * float(acts[site].abs().max()))


@NAMES
def test_the_same_gradient(name):
    """In double precision: rounding moves activations over the kinks of a ReLU."""
    module, image = stirred(timm.create_model(name)).module.double(), IMAGE.double()
    gradients = []
    for each in (module, folded(module, image)):
        pixels = image.clone().requires_grad_()
        each(pixels)[0, 7].backward()
        gradients.append(pixels.grad)
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-9 * float(gradients[0].abs().max()))


def test_a_model_is_folded_once():
    model = stirred(timm.create_model("resnet18"))
    assert faster(model).module is faster(model).module


def test_where_a_convolution_is_a_site_nothing_is_folded():
    """In a VGG each layer is a block."""
    model = stirred(torchvision.models.vgg11_bn(weights=None))
    assert norms(faster(model)) == norms(model)
    acts, twin_acts = on_image(model), on_image(faster(model))
    assert all(torch.allclose(acts[site], twin_acts[site], rtol=1e-3, atol=1e-4) for site in acts)


def test_a_normalisation_that_reads_something_else_stays():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)).eval()
    assert isinstance(folded(module, IMAGE)[2], nn.BatchNorm2d)


def test_a_convolution_whose_output_somebody_else_reads_too_is_found_out():
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            maps = self.conv(images)
            return self.norm(maps) + maps

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(Fork())

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.features(images)

    assert norms(faster(stirred(Net()))) == 1
