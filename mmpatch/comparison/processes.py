"""The command line tools in processes of their own: how they end, and the memory that they take."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

from mmpatch.utils.memory import peak_resident

from .places import PACKAGE, workshop


class RunError(RuntimeError):
    """A tool ended with an error.

    Args:
        message: What ran, how it ended, and where its output is.
        reason: The last thing that it said.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def run_tool(tool: str, *arguments: str | Path, log: Path | None = None) -> float:
    """Run one of the tools; returns the peak memory of its process [GiB].

    The tool ends when this process does, however that ends (on Linux).

    Args:
        tool: Its path in ``tools``.
        *arguments: Of its command line.
        log: File that what it prints is added to; None: the terminal.

    Raises:
        RunError: If the tool fails.
    """
    folder = workshop()
    command = [sys.executable, str(folder / 'tools' / tool), *map(str, arguments)]
    paths = [os.environ.get('PYTHONPATH')]
    if folder == PACKAGE.parent:  # a checkout; an installed package is found without help
        paths.insert(0, str(folder))
    with nullcontext() if log is None else log.open('ab') as out:
        process = subprocess.Popen(
            command,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))},
            stdout=out,
            stderr=None if out is None else subprocess.STDOUT,
            preexec_fn=_end_with_parent if sys.platform == 'linux' else None,
        )
        peak = watch(process)
    if process.returncode:
        ended = how_it_ended(process.returncode, peak)
        where, reason = 'see above', ended
        if log is not None:
            lines = [line.strip() for line in log.read_text(errors='replace').splitlines()]
            where = f'see {log}'
            if process.returncode > 0 and any(lines):
                last = next(line for line in reversed(lines) if line)
                reason = re.sub(r'^(\w+\.)+(?=\w+Error: )', '', last)  # without its module
        raise RunError(f'{" ".join(command)}: {ended}, {where}', reason)
    return peak


def watch(process: subprocess.Popen[bytes], interval: float = 0.2) -> float:
    """Wait for the end of a process; returns its peak memory, seen from outside [GiB].

    Args:
        process: It.
        interval: Time between two looks [s].
    """
    peak = 0
    while True:
        peak = max(peak, peak_resident(process.pid))
        with suppress(subprocess.TimeoutExpired):
            process.wait(interval)
            return peak / 2**30


_LIBC = ctypes.CDLL(None) if sys.platform == 'linux' else None
_PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """Let the kernel kill this process when its parent ends."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def how_it_ended(code: int, peak: float) -> str:
    """An exit code in words.

    Args:
        code: Of the process; negative: the signal that ended it.
        peak: Highest memory that it took [GiB].
    """
    if code == -signal.SIGKILL:
        return f'killed when it took {peak:.1f} GiB, as the system does when memory runs out'
    return f'exit {code}' if code >= 0 else f'ended by signal {-code}'
