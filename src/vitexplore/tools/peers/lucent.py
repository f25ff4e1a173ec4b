"""torch-lucent: `render_vis` on its defaults: 512 steps of Adam at 0.05, a picture of 128 pixels in Fourier space with
decorrelated colours, its standard transforms, brought to 224 pixels for the model.

Shims:
- kornia 0.4.1, the newest that it allows: the functions that it calls have moved since;
- IPython, which it imports and uses in notebooks alone, is an empty module;
- `fixed_image_size`, its option, is the model's input size: its own is 224 pixels, also for a ViT of another;
- `preprocess=False`, its option, and the model's normalisation after the transforms: its own is ImageNet's;
- the objective is a function of the hook: `layer:channel` takes the second axis, which of a ViT's tokens is position.
"""

import sys
from importlib import metadata
from types import ModuleType

import torch
from torch import Tensor
from torchvision.transforms import Normalize

from vitexplore.tools.peers.way import Wanted

STEPS = 512


def version() -> str:
    return metadata.version("torch-lucent")


def draw(wanted: Wanted, steps: int = STEPS) -> Tensor:
    """The picture after ``steps``: float [3, 128, 128] in [0, 1]."""
    render, transform = _imported()
    spec, layer = wanted.model.spec, wanted.module_name.replace(".", "_")
    found = render.render_vis(
        wanted.network,
        lambda hook: -wanted.mean_activation(hook(layer)),
        transforms=[*transform.standard_transforms, Normalize(spec.mean, spec.std)],
        thresholds=(steps,),
        preprocess=False,
        progress=False,
        show_image=False,
        fixed_image_size=spec.input_size,
    )
    return torch.from_numpy(found[0][0]).permute(2, 0, 1)


def _imported() -> tuple[ModuleType, ModuleType]:
    """Its modules `render` and `transform`. What stands in for IPython goes again: matplotlib would take it for one."""
    missing = {name: ModuleType(name) for name in ("IPython", "IPython.display") if name not in sys.modules}
    sys.modules.update(missing)
    try:
        from lucent.optvis import render, transform
    finally:
        for name in missing:
            del sys.modules[name]
    return render, transform
