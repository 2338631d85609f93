"""How much memory this process takes."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch


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
