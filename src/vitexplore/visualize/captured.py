"""A step that a GPU records once, as a CUDA graph, and then replays: a small model's many kernels follow each other
without Python between them."""

import logging
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from vitexplore.visualize.memory import is_out_of_memory

log = logging.getLogger(__name__)


class Captured:
    """``work()``, run on the GPU ``device``. The first call runs it as it is, which lets libraries and the optimizer
    set themselves up; the second records it; from then on it is replayed. All that changes from call to call must lie
    in tensors that stay where they are, or be drawn from ``generators``. What ``work`` returns is overwritten by the
    next call.

    Work that waits for the device cannot be recorded. It runs as it is at every call, and the log says so."""

    def __init__(self, work: Callable[[], Tensor], generators: list[torch.Generator], device: torch.device) -> None:
        self.work, self.generators, self.device = work, generators, device
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.output: Tensor

    def __call__(self) -> Tensor:
        with torch.cuda.device(self.device):
            self.calls += 1
            if self.calls == 2:
                self._record()
            if self.graph is None:
                return self.work()
            self.graph.replay()
            return self.output

    def _record(self) -> None:
        """Leaves ``graph`` None where it fails."""
        graph, around = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        states = [generator.get_state() for generator in self.generators]
        for generator in self.generators:
            graph.register_generator_state(generator)
        try:
            with torch.cuda.graph(graph, stream=_stream(self.device)):
                self.output = self.work()
        except RuntimeError as error:  # kept no longer than it must be: its frames hold a step's activations
            why = str(error.__context__ or error).partition("\n")[0]
            out_of_memory = is_out_of_memory(error) or is_out_of_memory(error.__context__)
        else:
            self.graph = graph
            return
        torch.cuda.set_stream(around)
        # generators of a recording that failed are of no more use, the device's own among them
        torch.cuda.default_generators[around.device_index].graphsafe_set_state(torch.Generator(self.device))
        self.generators[:] = [torch.Generator(self.device).set_state(state) for state in states]
        if out_of_memory:
            raise torch.OutOfMemoryError(why)
        log.warning("a step cannot be recorded and runs as it is; does it wait for the GPU, as .item() does? %s", why)


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """One for all recordings: for each stream, cuBLAS takes tens of megabytes that it never gives back."""
    return torch.cuda.Stream(device)
