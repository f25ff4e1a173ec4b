"""A step that a GPU records once, as a CUDA graph, and then replays: a small model's many kernels follow each other
without Python between them."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from vitexplore.visualize.memory import is_out_of_memory

log = logging.getLogger(__name__)


class Captured:
    """``work()``, run on a GPU. The first call runs it as it is, which lets libraries and the optimizer set themselves
    up; the second records it; from then on it is replayed. All that changes from call to call must lie in tensors that
    stay where they are, or be drawn from ``generators``. What ``work`` returns is overwritten by the next call.

    Work that waits for the device cannot be recorded. It runs as it is at every call, and the log says so."""

    def __init__(self, work: Callable[[], Tensor], generators: list[torch.Generator]) -> None:
        self.work, self.generators = work, generators
        self.graph = torch.cuda.CUDAGraph()
        self.output: Tensor
        self.call = self._first

    def __call__(self) -> Tensor:
        return self.call()

    def _first(self) -> Tensor:
        self.call = self._second
        return self.work()

    def _second(self) -> Tensor:
        states = [generator.get_state() for generator in self.generators]
        for generator in self.generators:
            self.graph.register_generator_state(generator)
        try:
            with torch.cuda.graph(self.graph):
                self.output = self.work()
        except RuntimeError as error:
            for each in (error, error.__context__):
                if isinstance(each, RuntimeError) and is_out_of_memory(each):
                    raise each from None
            log.info("a step cannot be recorded and runs as it is: %s", str(error.__context__ or error).splitlines()[0])
            for place, state in enumerate(states):  # a generator of a recording that failed is of no more use
                self.generators[place] = torch.Generator(self.generators[place].device).set_state(state)
            self.call = self.work
            return self.work()
        self.call = self._replay
        return self._replay()

    def _replay(self) -> Tensor:
        self.graph.replay()
        return self.output
