"""torch-dreams: `Dreamer.render` on its defaults, as in its page's example of one channel: 120 steps of AdamW at 0.009,
a picture of 256 pixels in Fourier space, rotated by up to 15 degrees, its sides scaled by 0.5 to 1.2.

Shims:
- opencv-python-headless in the place of opencv-python; mkl, which it asks for and does not import, is left out;
- `set_custom_normalization`, its option, with the model's own;
- `set_custom_transforms`, its option, for a ViT: its default transforms, then the size that the ViT takes.
"""

from importlib import metadata

from torch import Tensor
from torchvision.transforms import Compose, Normalize, RandomAffine, Resize

from vitexplore.tools.peers.way import Wanted

STEPS = 120
ROTATE, LARGEST, SMALLEST = 15, 1.2, 0.5  # the defaults of `render`


def version() -> str:
    return metadata.version("torch-dreams")


def draw(wanted: Wanted, steps: int = STEPS) -> Tensor:
    """The picture after ``steps``: float [3, 256, 256] in [0, 1]."""
    from torch_dreams import Dreamer
    from torch_dreams.transforms import random_resize

    spec = wanted.model.spec
    dreamer = Dreamer(wanted.network, quiet=True, device=str(wanted.model.device))
    dreamer.set_custom_normalization(Normalize(spec.mean, spec.std))
    if wanted.model.is_vit:
        side = spec.input_size
        sizes = [random_resize(LARGEST, SMALLEST), Resize((side, side))]
        dreamer.set_custom_transforms(Compose([RandomAffine(ROTATE, translate=(0.0, 0.0)), *sizes]))
    found = dreamer.render(
        layers=[wanted.tap.module], iters=steps, custom_func=lambda outputs: -wanted.mean_activation(outputs[0])
    )
    return found.to_chw_tensor()
