"""Training and testing a config in processes of their own, and what that took."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmpatch.utils.files import write_atomic

#: The checkout, with ``tools`` and ``configs``.
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """One config, trained and tested.

    Attributes:
        name: The config's name.
        seconds: Wall time of the training iterations, data loading included [s].
        steps: Optimizer steps.
        peak: Highest memory of the training process (max RSS) [GiB].
        idle: Memory of that process before it trained, model included; 0 if unknown [GiB].
        metrics: What the test reported.
    """

    name: str
    seconds: float
    steps: int
    peak: float
    metrics: Mapping[str, float]
    idle: float = 0.0


def train_and_test(
    config: str | Path,
    work_dir: Path,
    options: Sequence[str] = (),
    name: str | None = None,
    minutes: float | None = None,
    log: Path | None = None,
) -> Run:
    """Train a config, test its last checkpoint, and draw what it finds.

    What has been done in ``work_dir`` is not done again: a finished run is read, an interrupted
    training resumed.

    Args:
        config: Its file.
        work_dir: Where the run's files go.
        options: ``key=value`` settings that override the config's.
        name: How the run is called; the config's name by default.
        minutes: Time to train [min], in place of the config's epochs and schedule.
        log: File for what the tools print; None: the terminal.

    Raises:
        RuntimeError: If training or test fails; the process has said why.
    """
    note = work_dir / 'run.json'
    if note.is_file():
        return Run(**json.loads(note.read_text()))
    overrides = ['--cfg-options', *options] if options else []
    resume = ['--resume'] if (work_dir / 'last_checkpoint').is_file() else []
    if not resume:
        shutil.rmtree(work_dir, ignore_errors=True)
    limit = [] if minutes is None else ['--minutes', str(minutes)]
    peak = run_tool(
        'train.py', config, '--work-dir', work_dir, *limit, *resume, *overrides, log=log
    )
    checkpoint = (work_dir / 'last_checkpoint').read_text().strip()
    drawn = ['--show-dir', 'drawn']
    run_tool('test.py', config, checkpoint, '--work-dir', work_dir, *drawn, *overrides, log=log)
    state = torch.load(checkpoint, map_location='cpu', weights_only=False)
    run = Run(
        name or Path(config).stem,
        float(history(state, 'time').sum()),
        optimizer_steps(state['optimizer']),
        max([peak, *history(state, 'peak_process')]),  # of interrupted processes as well
        test_metrics(work_dir),
        state['message_hub']['runtime_info'].get('idle_memory', 0) / 2**30,
    )
    write_atomic(note, json.dumps(asdict(run), indent=1).encode())
    return run


def run_tool(tool: str, *arguments: str | Path, log: Path | None = None) -> float:
    """Run one of the tools; returns the peak memory of its process [GiB].

    Args:
        tool: Its path in ``tools``.
        *arguments: Of its command line.
        log: File that what it prints is added to; None: the terminal.

    Raises:
        RuntimeError: If the tool fails; it has said why.
    """
    command = [sys.executable, str(ROOT / 'tools' / tool), *map(str, arguments)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')]))
    with nullcontext() if log is None else log.open('ab') as out:
        process = subprocess.Popen(
            command,
            env={**os.environ, 'PYTHONPATH': path},
            stdout=out,
            stderr=None if out is None else subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        where = f'see {log}' if log else 'see above'
        raise RuntimeError(f'{" ".join(command)} failed (exit {process.returncode}), {where}')
    return usage.ru_maxrss / (2**30 if sys.platform == 'darwin' else 2**20)


def history(state: Mapping[str, Any], name: str) -> NDArray[np.float64]:
    """What was logged under a name in each training iteration up to a checkpoint.

    Args:
        state: The checkpoint; that of a resumed training knows the iterations before as well.
        name: Such as ``'time'`` [s], ``'loss'`` or ``'peak_process'`` [GiB].
    """
    buffer = state['message_hub']['log_scalars'].get(f'train/{name}')
    return np.asarray([] if buffer is None else buffer.data[0], dtype=np.float64)


def test_metrics(work_dir: Path) -> dict[str, float]:
    """The metrics of the last test in a work dir."""
    files = [p for p in work_dir.glob('*/*.json') if p.stem == p.parent.name]
    newest = max(files, key=lambda path: path.stat().st_mtime)
    found: dict[str, Any] = json.loads(newest.read_text())
    return {k: v for k, v in found.items() if isinstance(v, float) and 'time' not in k}


def optimizer_steps(optimizer: Mapping[str, Any]) -> int:
    """Steps that an optimizer has made, from its state dict; 0 if it does not count them."""
    steps = [int(entry['step']) for entry in optimizer['state'].values() if 'step' in entry]
    return max(steps, default=0)
