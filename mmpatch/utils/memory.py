"""How much memory this process takes."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch


def peak_memory() -> dict[str, float]:
    """Highest memory use of this process so far [GiB].

    Returns:
        ``process``: resident memory (max RSS). With CUDA also ``allocated`` and ``reserved``, the
        peaks of PyTorch's allocator on the current device.
    """
    unit = 2**30 if sys.platform == 'darwin' else 2**20  # bytes on macOS, KiB on Linux
    peak = {'process': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}
    if torch.cuda.is_available():
        peak['allocated'] = torch.cuda.max_memory_allocated() / 2**30
        peak['reserved'] = torch.cuda.max_memory_reserved() / 2**30
    return peak


def resident_memory() -> int:
    """Memory of this process now (RSS) [bytes]."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * resource.getpagesize()
