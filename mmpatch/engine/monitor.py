"""Time and memory of a training, for the log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from mmpatch.utils.memory import SavedTensors

#: A moment: of the host's clock [s], or on the device.
Moment = Any


@dataclass
class Monitor:
    """Adds up where the time and the memory of training steps go.

    On a GPU stages are timed by events, so that the host need not wait for the device.

    Attributes:
        known: Tensors that exist without any graph, such as the parameters; autograd keeps
            references to them, which cost nothing.
        memory: Bytes used per component, where measured; kept from batch to batch.
        encoded: Patches that went through the stage ``'encode'``.
    """

    known: Sequence[Tensor] = ()
    memory: dict[str, int] = field(default_factory=dict)
    encoded: int = 0
    _spans: list[tuple[str, Moment, Moment]] = field(default_factory=list)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of a block to that of a stage."""
        start = _now()
        yield
        self._spans.append((stage, start, _now()))

    def take_times(self) -> dict[str, float]:
        """Seconds spent per stage since the last call; waits for the device."""
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()
        times: dict[str, float] = defaultdict(float)
        for stage, start, end in self._spans:
            times[stage] += _seconds(start, end)
        self._spans.clear()
        return dict(times)

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


def _now() -> Moment:
    if not torch.cuda.is_initialized():
        return perf_counter()
    moment = torch.cuda.Event(enable_timing=True)
    moment.record()
    return moment


def _seconds(start: Moment, end: Moment) -> float:
    return float(end - start if isinstance(start, float) else start.elapsed_time(end) / 1000)
