"""Seconds and peak memory of a piece of work."""

import time
from collections.abc import Callable
from pathlib import Path

import torch


def timed(work: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Seconds, and the peak of memory meanwhile in MB: the GPU's, else the process's."""
    gpu = device.type == "cuda"
    if gpu:
        torch.cuda.reset_peak_memory_stats(device)
        torch.cuda.synchronize(device)
    else:
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak that the kernel keeps
    began = time.perf_counter()
    work()
    if gpu:
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - began
    return seconds, torch.cuda.max_memory_allocated(device) / 1e6 if gpu else peak_resident_mb()


def peak_resident_mb() -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000
