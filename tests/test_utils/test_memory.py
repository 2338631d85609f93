"""Memory of processes."""

from __future__ import annotations

import subprocess
import sys

from mmpatch.comparison.processes import how_it_ended, watch
from mmpatch.utils import peak_memory, peak_resident, resident_memory


def test_a_process_is_not_as_large_as_the_one_that_started_it() -> None:
    """The operating system's own max RSS is inherited."""
    program = 'x = b"x" * (100 << 20); import time; time.sleep(0.5)'
    peak = watch(subprocess.Popen([sys.executable, '-c', program]), interval=0.05)
    assert peak_memory()['process'] > 0.4  # PyTorch is imported here
    assert 0.09 < peak < 0.2


def test_peak_of_this_process() -> None:
    before = resident_memory()
    block = b'x' * (64 << 20)
    assert peak_resident() >= before + len(block) - (1 << 20)
    del block
    assert peak_resident() >= before + (63 << 20)


def test_processes_that_are_gone() -> None:
    process = subprocess.Popen([sys.executable, '-c', ''])
    process.wait()
    assert peak_resident(process.pid) == 0


def test_how_processes_end() -> None:
    assert how_it_ended(3, 1.0) == 'exit 3'
    assert how_it_ended(-15, 1.0) == 'ended by signal 15'
    assert how_it_ended(-9, 21.26).startswith('killed when it took 21.3 GiB')
