"""How many features fit: what one feature's step keeps for its backward pass, against what is free."""

import os
from collections.abc import Callable

import torch
from torch import Tensor

from vitexplore.models.registry import Model

SHARE = 0.5  # of the free memory; the rest is for what a step allocates besides
OVERHEAD = 2.0  # gradients on their way back, beside what was kept
MOST = {"cpu": 16}  # more at once gain nothing on a processor, whose caches they overflow


def fitting_batch(trial: Callable[[], None], model: Model) -> int:
    """How many features to optimize at once, at least 1. ``trial`` runs one feature's step."""
    device = model.device
    kept = kept_bytes(trial)
    fits = int(SHARE * free_bytes(device) / (OVERHEAD * max(kept, 1)))
    return max(1, min(fits, MOST.get(device.type, fits)))


def kept_bytes(trial: Callable[[], None]) -> int:
    """Bytes of the distinct tensors that ``trial`` keeps for its backward pass, weights among them."""
    seen: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        trial()
    return sum(seen.values())


def free_bytes(device: torch.device) -> int:
    """Memory of ``device`` that nothing uses now."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether a GPU or the processor's allocator said so, which has no class of its own for it."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
