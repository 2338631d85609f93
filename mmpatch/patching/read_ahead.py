"""Pixels of the next patches, read while the present ones are computed with."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """Raw windows of K patches.

    Attributes:
        pixels: (K, C, Q, Q), zero outside the image.
        sizes: Height and width of each that lie in the image [px].
        copied: The CUDA event after which ``pixels`` are on the device; None: they may be read now.
    """

    pixels: Tensor
    sizes: Sequence[tuple[int, int]]
    copied: Any = None


class ReadAhead:
    """Reads the windows of chunks in a thread, one chunk ahead.

    Files are decoded while theta1 computes. On a GPU the windows go through page-locked memory and a
    stream of their own, so that neither the host nor the computing stream waits for a copy.

    Args:
        read: Reads the windows of the patches with K flat numbers on the host.
        device: Where theta1 runs.
    """

    def __init__(self, read: Callable[[Tensor], Windows], device: torch.device) -> None:
        self._read = read
        self._device = device
        self._after: dict[tuple[int, ...], Tensor] = {}
        self._pending: dict[tuple[int, ...], Future[Windows]] = {}

    def expect(self, chunks: Sequence[Tensor]) -> None:
        """Name chunks that will be taken one after the other, once or several times."""
        self._after = {_key(chunk): following for chunk, following in pairwise(chunks)}
        self._pending = {}

    def take(self, patches: Tensor) -> Windows:
        """The windows of K patches; those of the chunk that follows are read from now on."""
        pending = self._pending.pop(_key(patches), None)
        windows = self._read(patches) if pending is None else pending.result()
        following = self._after.get(_key(patches))
        if following is not None and _key(following) not in self._pending:
            self._pending[_key(following)] = _reader(os.getpid()).submit(self._fetch, following)
        if windows.copied is not None:
            stream = torch.cuda.current_stream(self._device)
            stream.wait_event(windows.copied)
            windows.pixels.record_stream(stream)  # its memory is not used anew before that
        return windows

    def _fetch(self, patches: Tensor) -> Windows:
        """Read windows and start their way to the device."""
        windows = self._read(patches)
        if self._device.type != 'cuda':
            return windows
        with torch.cuda.stream(self._stream):
            pixels = windows.pixels.pin_memory().to(self._device, non_blocking=True)
            return replace(windows, pixels=pixels, copied=self._stream.record_event())

    @cached_property
    def _stream(self) -> torch.cuda.Stream:
        return torch.cuda.Stream(self._device)


@lru_cache(maxsize=1)
def _reader(process: int) -> ThreadPoolExecutor:
    """The one thread of a process that reads ahead; threads do not survive a fork."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix='mmpatch-reader')


def _key(patches: Tensor) -> tuple[int, ...]:
    return tuple(patches.tolist())
