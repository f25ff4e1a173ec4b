"""A GPU, where the model runs in bfloat16, makes the pictures that a processor makes. `make gpu-check` runs this."""

import pytest
import torch

from vitexplore.models.catalogue import load_named
from vitexplore.visualize.expression import objectives
from vitexplore.visualize.optimize import Visualization, visualize
from vitexplore.visualize.recipes import Recipe

# no augmentations: their random streams are the device's own
PLAIN = Recipe("plain", (), parametrization="fourier", steps=5, copies=1, leak=0.1)
SCORE, PIXEL = 0.2, 0.02  # a processor's own bfloat16 is off its float32 by up to 0.13 of a score and 0.014 of a pixel
START = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.25

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")]


def drawn(device: str, name: str, expression: str) -> Visualization:
    model = load_named(name, device)
    (objective,) = objectives(model, expression).values()
    return visualize(model, objective, PLAIN, start=START)


@pytest.mark.parametrize("name, expression", [("lab/vit", "ffn:4:0:4"), ("lab/cnn", "channel:5:0:4")])
def test_a_gpu_makes_the_processors_pictures(name, expression):
    on_cpu, on_gpu = (drawn(device, name, expression) for device in ("cpu", "cuda"))
    torch.testing.assert_close(on_gpu.score, on_cpu.score, rtol=SCORE, atol=0.01)
    assert (on_gpu.images - on_cpu.images).abs().mean() < PIXEL
    assert (on_cpu.images - START).abs().mean() > PIXEL  # that is no agreement to stand still
