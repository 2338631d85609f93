"""Sizes of memory, and how much of it this process, a block of code or a graph takes."""

from __future__ import annotations

import ctypes
import gc
import re
import resource
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

UNITS = {'B': 1, 'KIB': 2**10, 'MIB': 2**20, 'GIB': 2**30, 'TIB': 2**40}
UNITS.update({'KB': 10**3, 'MB': 10**6, 'GB': 10**9, 'TB': 10**12})


def parse_size(text: str | int) -> int:
    """Bytes of a size such as ``'4GiB'``, ``'800 MB'`` or ``4294967296``.

    Raises:
        ValueError: If it cannot be read or is not positive.
    """
    match = re.fullmatch(r'\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*', str(text))
    unit = match[2].upper() or 'B' if match else ''
    if match is None or unit not in UNITS or float(match[1]) <= 0:
        raise ValueError(
            f"a memory budget is a positive number and a unit, such as '4GiB' or '800MB'; got "
            f'{text!r}'
        )
    return int(float(match[1]) * UNITS[unit])


def format_size(count: float) -> str:
    """Bytes for people, such as ``'1.25 GiB'`` or ``'37 MiB'``."""
    if abs(count) >= 2**30:
        return f'{count / 2**30:.2f} GiB'
    return f'{count / 2**20:.0f} MiB'


def peak_memory() -> dict[str, float]:
    """Highest memory use of this process so far [GiB].

    Returns:
        ``process``: resident memory. With CUDA also ``allocated`` and ``reserved``, the peaks of
        PyTorch's allocator on the current device.
    """
    peak = {'process': peak_resident() / 2**30}
    if torch.cuda.is_available():
        peak['allocated'] = torch.cuda.max_memory_allocated() / 2**30
        peak['reserved'] = torch.cuda.max_memory_reserved() / 2**30
    return peak


def peak_resident(pid: int | None = None) -> int:
    """Highest resident memory of a process since it started its program [bytes].

    Linux tells it as ``VmHWM``. The max RSS of ``getrusage`` is not it there: a process starts with
    that of the process that started it, which would lend its own size to every small child.

    Args:
        pid: The process; None: this one.

    Returns:
        The memory; 0 for another process that has ended, or where there is no ``/proc``.
    """
    with suppress(OSError):
        for line in Path(f'/proc/{pid or "self"}/status').read_text().splitlines():
            if line.startswith('VmHWM:'):
                return int(line.split()[1]) * 1024
    if pid is not None:
        return 0
    unit = 1 if sys.platform == 'darwin' else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def resident_memory() -> int:
    """Memory of this process now (RSS) [bytes]."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * resource.getpagesize()


def available_memory() -> int:
    """Memory that a process can still take without swapping [bytes]; no limit if not Linux."""
    source = Path('/proc/meminfo')
    if not source.exists():
        return sys.maxsize
    lines = source.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith('MemAvailable')) * 1024


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

    def __init__(self, known: Sequence[Tensor] = ()) -> None:
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


#: How a GPU's driver and libraries, and the host's allocator, say that memory has run out.
OUT_OF_MEMORY = (
    'out of memory',
    'CUDNN_STATUS_ALLOC_FAILED',
    'CUBLAS_STATUS_ALLOC_FAILED',
    'CUSPARSE_STATUS_ALLOC_FAILED',
    "can't allocate memory",
    'not enough memory',
)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception says that a GPU or the host ran out of memory."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    return any(text in str(error) for text in OUT_OF_MEMORY)
