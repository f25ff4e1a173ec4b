"""How a process computes on a processor: its threads, and what becomes of memory that it frees."""

import ctypes

import torch

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # glibc's numbers in malloc.h


def use_threads(count: int) -> None:
    """Let torch use ``count`` threads, and let the process keep the memory that it frees for its next tensors. As it
    is set up, glibc gives large blocks back at once, and the system clears their pages anew at the next layer: at 100
    images that takes EfficientNet-Lite2 longer than its arithmetic. Elsewhere than on glibc memory stays as it is."""
    torch.set_num_threads(count)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(MMAP_MAX, 0)
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
