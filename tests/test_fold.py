"""A CNN whose batch normalisations are folded is the same function."""

import pytest
import timm
import torch
from torch import nn

from vitexplore.visualize.fold import folded

IMAGE = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def stirred(name: str) -> nn.Module:
    """With statistics and gains of a network that was trained, not those that make a normalisation the identity."""
    torch.manual_seed(0)
    module = timm.create_model(name).eval().requires_grad_(False)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.normal_(part.bias, std=0.1)
    return module


def norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18", "densenet121"])
def test_the_same_function_and_gradient_with_fewer_normalisations(name):
    module = stirred(name)
    before = norms(module)
    twin = folded(module, IMAGE)
    assert norms(twin) <= before / 1.9
    assert norms(module) == before  # the original stays as it is
    for each, image in ((module, IMAGE.clone().requires_grad_()), (twin, IMAGE.clone().requires_grad_())):
        logits = each(image)
        logits[0, 7].backward()
        each.found = (logits.detach(), image.grad)
    for one, other in zip(module.found, twin.found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(one.abs().max()))


def test_a_normalisation_that_reads_something_else_stays():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)).eval()
    assert norms(folded(module, IMAGE)) == 1


def test_a_convolution_whose_output_somebody_else_reads_too_is_found_out():
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
            nn.init.constant_(self.norm.weight, 3.0)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            maps = self.conv(images)
            return self.norm(maps) + maps

    with pytest.raises(RuntimeError, match="Fork is another function"):
        folded(Fork().eval(), IMAGE)
