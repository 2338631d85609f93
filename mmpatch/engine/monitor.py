"""Time and memory of a training, for the log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import torch
from torch import Tensor

from mmpatch.utils.memory import SavedTensors


@dataclass
class Monitor:
    """Adds up where the time and the memory of training steps go.

    Attributes:
        known: Tensors that exist without any graph, such as the parameters; autograd keeps
            references to them, which cost nothing.
        times: Seconds spent per stage since they were last cleared.
        memory: Bytes used per component, where measured; kept from batch to batch.
    """

    known: Sequence[Tensor] = ()
    times: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    memory: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of a block to ``times[stage]``."""
        start = perf_counter()
        yield
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times[stage] += perf_counter() - start

    @contextmanager
    def counted(self, component: str) -> Iterator[None]:
        """Note the memory that autograd keeps of a block, the first time that it runs.

        Counting slows a block down, and every chunk of a training keeps about the same.
        """
        if component in self.memory:
            yield
            return
        with SavedTensors(known=self.known) as saved:
            yield
        self.memory[component] = saved.nbytes
