"""Memory in use: of the process on a CPU, of the device on a GPU."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from mmpatch.utils.memory import resident_memory


def memory_in_use(device: torch.device) -> int:
    """Resident memory of this process, or what PyTorch's allocator holds of the GPU [bytes]."""
    if device.type == 'cuda':
        return torch.cuda.memory_reserved(device)
    return resident_memory()


def release_unused(device: torch.device) -> None:
    """Give back what PyTorch's allocator or the C library keeps for later."""
    gc.collect()
    if device.type == 'cuda':
        torch.cuda.empty_cache()
    elif sys.platform == 'linux':
        with suppress(OSError, AttributeError):  # not every C library can
            ctypes.CDLL(None).malloc_trim(0)


class PeakMeter:
    """Measures the highest memory use inside a ``with`` block.

    On a CPU a thread looks every few milliseconds; the operating system's own record of the
    process's peak is left as it is.

    Args:
        device: What to look at.
        interval: Time between two looks on a CPU [s].

    Attributes:
        start: Memory in use when the block began [bytes].
        peak: Highest memory in use inside of it [bytes].
    """

    def __init__(self, device: torch.device, interval: float = 0.004) -> None:
        self.device = device
        self.interval = interval
        self.start = self.peak = 0
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def growth(self) -> int:
        """Highest memory above that at the start [bytes]."""
        return max(self.peak - self.start, 0)

    def __enter__(self) -> PeakMeter:
        release_unused(self.device)
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
        self.start = self.peak = memory_in_use(self.device)
        if self.device.type != 'cuda':
            self._done.clear()
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._done.set()
            self._thread.join()
            self.peak = max(self.peak, memory_in_use(self.device))
        else:
            torch.cuda.synchronize(self.device)
            self.peak = torch.cuda.max_memory_reserved(self.device)

    def _watch(self) -> None:
        while not self._done.wait(self.interval):
            self.peak = max(self.peak, memory_in_use(self.device))


class SavedTensors:
    """Counts what autograd keeps for the backward pass inside a ``with`` block.

    Attributes:
        nbytes: Memory of the tensors that were saved, each storage once, parameters and what
            existed before left out where they are known [bytes].
    """

    def __init__(self, known: Any = ()) -> None:
        self.nbytes = 0
        self._seen = {tensor.untyped_storage()._cdata for tensor in known}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda tensor: tensor)

    def __enter__(self) -> SavedTensors:
        self._hooks.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._hooks.__exit__(*exc)

    def _pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._seen:
            self._seen.add(storage._cdata)
            self.nbytes += storage.nbytes()
        return tensor
