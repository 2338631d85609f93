"""Scripts in several processes that find each other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_ranks(script: Path, *arguments: object, world: int = 2) -> list[str]:
    """Run a script in some processes at once; what each of them printed.

    Args:
        script: The script. It joins the process group itself.
        *arguments: Of its command line.
        world: Number of processes.
    """
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    processes = [
        subprocess.Popen(
            [sys.executable, '-W', 'ignore', str(script), *map(str, arguments)],
            env={
                **os.environ,
                'WORLD_SIZE': str(world),
                'RANK': str(rank),
                'LOCAL_RANK': str(rank),
                'MASTER_ADDR': '127.0.0.1',
                'MASTER_PORT': str(port),
                'PYTHONPATH': str(ROOT),
                'OMP_NUM_THREADS': '1',
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    said = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * world
    return said
