"""Training and testing a config, and what that took."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from numpy.typing import NDArray

from mmpatch.datasets.conversion import digest
from mmpatch.utils.checkpoints import load_checkpoint
from mmpatch.utils.files import write_atomic

from .claims import claim
from .options import parse_options
from .processes import RunError, run_tool


@dataclass(frozen=True)
class Run:
    """One config, trained and tested.

    Attributes:
        name: The config's name.
        seconds: Wall time of the training iterations, data loading included [s].
        steps: Optimizer steps.
        peak: Highest memory of the training, without validation [GiB]: resident memory of the
            process, or what PyTorch reserved on the GPU.
        metrics: What the test reported.
        idle: The same memory before the training, model included; 0 if unknown [GiB].
        parameters: Numbers in the model, trained or not, without BatchNorm's statistics.
        seconds_image: Time to predict an image, without reading it [s].
        peak_test: Highest memory of the test, as ``peak`` [GiB].
        seed: The seed; None: the config's own.
        failure: Why there is no result; empty if there is one.
    """

    name: str
    seconds: float = 0.0
    steps: int = 0
    peak: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    idle: float = 0.0
    parameters: int = 0
    seconds_image: float = 0.0
    peak_test: float = 0.0
    seed: int | None = None
    failure: str = ''


def train_and_test(
    config: str | Path,
    work_dir: Path,
    options: Sequence[str] = (),
    name: str | None = None,
    log: Path | None = None,
    *,
    seed: int | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    memory_limit: str | None = None,
    checkpoint: Path | None = None,
) -> Run:
    """Train a config, test its last checkpoint, and draw what it finds.

    What has been done in ``work_dir`` is not done again: a finished run is read, an interrupted
    training is resumed. Nothing is deleted. A run of a config that has changed since is refused.

    Args:
        config: Its file.
        work_dir: Where the run's files go: a folder that is new, empty, or of the same run.
        options: ``key=value`` settings that override the config's.
        name: How the run is called; the config's name by default.
        log: File for what the tools print; None: the terminal.
        seed: In place of the config's.
        minutes: Time to train [min], in place of the config's epochs and schedule.
        steps: Optimizer steps to train, in place of the same.
        memory_limit: Such as ``'4GiB'``: a training that takes more is ended and says how much.
        checkpoint: Test this one, and train nothing.

    Raises:
        RunError: If training or test fails, or the training saves no checkpoint.
        ValueError: If ``work_dir`` holds files of somebody else, or of another run.
    """
    claim(
        work_dir,
        dict(
            config=str(Path(config).absolute()),
            options=list(options),
            seed=seed,
            minutes=minutes,
            steps=steps,
            checkpoint=checkpoint and str(checkpoint),
            config_digest=config_digest(config, options),
        ),
    )
    note = work_dir / 'run.json'
    if note.is_file():
        return Run(**json.loads(note.read_text()))
    options = [*options, *([] if seed is None else [f'randomness.seed={seed}'])]
    overrides = ['--cfg-options', *options] if options else []
    peak = 0.0
    if checkpoint is None:
        resume = ['--resume'] if (work_dir / 'last_checkpoint').is_file() else []
        limits = [] if minutes is None else ['--minutes', str(minutes)]
        limits += [] if steps is None else ['--steps', str(steps)]
        limits += [] if memory_limit is None else ['--memory-limit', memory_limit]
        arguments = [config, '--work-dir', work_dir, *limits, *resume, *overrides]
        peak = run_tool('train.py', *arguments, log=log)
        checkpoint = last_checkpoint(work_dir)
    state = load_checkpoint(checkpoint)  # before the test, which would run any code in the file
    drawn = ['--show-dir', 'drawn']
    arguments = [config, checkpoint, '--work-dir', work_dir, *drawn, *overrides]
    peak_test = run_tool('test.py', *arguments, log=log)
    tested = test_log(work_dir)
    peak, idle = memory_of(state, peak)
    run = Run(
        name or Path(config).stem,
        float(history(state, 'time').sum()),
        optimizer_steps(state.get('optimizer', {})),
        peak,
        {k: v for k, v in tested.items() if isinstance(v, float) and 'time' not in k},
        idle,
        parameters(state['state_dict']),
        (tested['time'] - tested['data_time']) / test_batch_size(work_dir / Path(config).name),
        peak_test,
        seed,
    )
    write_atomic(note, json.dumps(asdict(run), indent=1).encode())
    return run


def config_digest(config: str | Path, options: Sequence[str] = ()) -> str:
    """A short hash of what a config says, with its bases and settings: 16 hex digits.

    Args:
        config: Its file.
        options: ``key=value`` settings that override the config's.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(parse_options(options))
    return digest([json.dumps(cfg.to_dict(), sort_keys=True, default=str)])


def last_checkpoint(work_dir: Path) -> Path:
    """The checkpoint that a training saved last.

    Raises:
        RunError: If there is none.
    """
    note = work_dir / 'last_checkpoint'
    if not note.is_file():
        reason = 'the training saved no checkpoint: see default_hooks.checkpoint of its config'
        raise RunError(f'{work_dir}: {reason}', reason)
    return Path(note.read_text().strip())


def history(state: Mapping[str, Any], name: str) -> NDArray[np.float64]:
    """What was logged under a name in each training iteration up to a checkpoint.

    Args:
        state: The checkpoint; that of a resumed training knows the iterations before as well.
        name: Such as ``'time'`` [s], ``'loss'`` or ``'peak_process'`` [GiB].
    """
    buffer = state.get('message_hub', {}).get('log_scalars', {}).get(f'train/{name}')
    return np.asarray([] if buffer is None else buffer.data[0], dtype=np.float64)


def memory_of(state: Mapping[str, Any], outside: float) -> tuple[float, float]:
    """Highest memory of a training and memory before it, both of the GPU or both of the process.

    Args:
        state: The training's checkpoint. What it logged leaves validation out.
        outside: Highest memory of the training's process, seen from outside, in case that the
            checkpoint does not know [GiB].

    Returns:
        Both [GiB]; the second one is 0 if the checkpoint does not know it.
    """
    kind = 'reserved' if history(state, 'peak_reserved').size else 'process'
    peak = max(history(state, f'peak_{kind}'), default=outside)
    return float(peak), runtime_info(state).get(f'idle_{kind}', 0) / 2**30


def runtime_info(state: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint's training noted about itself; empty if it was not made by a runner."""
    info: dict[str, Any] = state.get('message_hub', {}).get('runtime_info', {})
    return info


def parameters(weights: Mapping[str, Any]) -> int:
    """How many numbers a state dict has, without BatchNorm's statistics."""
    statistics = ('running_mean', 'running_var', 'num_batches_tracked')
    return sum(w.numel() for key, w in weights.items() if not key.endswith(statistics))


def test_log(work_dir: Path) -> dict[str, Any]:
    """What the last test in a work dir reported: metrics, and seconds an image."""
    files = [p for p in work_dir.glob('*/*.json') if p.stem == p.parent.name]
    newest = max(files, key=lambda path: path.stat().st_mtime)
    found: dict[str, Any] = json.loads(newest.read_text())
    return found


def test_batch_size(config: Path) -> int:
    """Images an iteration of the test, from the config as it ran."""
    return int(Config.fromfile(config).test_dataloader.batch_size)


def optimizer_steps(optimizer: Mapping[str, Any]) -> int:
    """Steps that an optimizer has made, from its state dict; 0 if it does not count them."""
    entries = optimizer.get('state', {}).values()
    steps = [int(entry['step']) for entry in entries if 'step' in entry]
    return max(steps, default=0)
