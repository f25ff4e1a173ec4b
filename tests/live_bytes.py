"""How much memory the tensors take that a piece of code makes, at most at any one time, and a model to try it on."""

import weakref
from collections.abc import Callable

import torch
from timm.models import VisionTransformer
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vitexplore.models.registry import Model
from vitexplore.models.spec import ModelSpec

IMAGES = 16
FFN = 4 * IMAGES * 64 * 256  # bytes of one block's ffn in `vit_of_depth`: positions by channels


def vit_of_depth(depth: int) -> Model:
    torch.manual_seed(0)
    module = VisionTransformer(img_size=64, patch_size=8, embed_dim=64, depth=depth, num_heads=4)
    plain = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "interpolation": "bicubic", "crop": 1.0}
    spec = ModelSpec("m", "timm", "of depth", "vit", weights="random", input_size=64, **plain)
    return Model(spec, module.eval().requires_grad_(False), "")


def peak_bytes(model: Model, use: Callable[[Model], object]) -> int:
    """Of what ``use`` makes of ``model``, beside its weights."""
    with LiveBytes(model) as counted:
        use(model)
    return counted.peak


class LiveBytes(TorchDispatchMode):
    """Counts, within its ``with`` block, the bytes of all storages that torch's operations make: ``live`` now, ``peak``
    at most. The weights of ``model``, which views of them would bring in, do not count."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.live = self.peak = 0
        self.known = {tensor.untyped_storage()._cdata for tensor in model.module.state_dict().values()}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata in self.known:
            return
        self.known.add(storage._cdata)
        self.live += storage.nbytes()
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._forget, storage._cdata, storage.nbytes())

    def _forget(self, address: int, size: int) -> None:
        self.known.discard(address)
        self.live -= size
