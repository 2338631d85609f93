"""The highest memory use of a whole training, and its parts."""

from __future__ import annotations

import threading
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import Tensor

from mmpatch.registry import HOOKS
from mmpatch.utils.memory import (
    format_size,
    parse_size,
    peak_memory,
    peak_resident,
    resident_memory,
)

#: Parts that train loops of mmpatch report, in the order of the data flow.
PARTS = {
    'image': 'images (host)',
    'latent': 'Z and its gradient',
    'theta1': 'theta1, kept for backward',
    'theta2': 'theta2, kept for backward',
}


class MemoryLimitError(RuntimeError):
    """A training takes more memory than it may."""


@HOOKS.register_module()
class MemoryHook(Hook):
    """Logs the highest memory of the training so far, without that of validation.

    Each log line has ``peak_process`` (resident memory) and, with a GPU, ``peak_allocated`` and
    ``peak_reserved`` [GiB]. A table at the end says which part of the training takes how much.
    mmengine's own ``memory`` is the peak of one logging window in MiB, on GPUs only.

    Args:
        limit: End the training with an error after the first iteration that has taken more, such
            as ``'4GiB'``: of the GPU (reserved), or of the process on a CPU. None: no limit.
    """

    priority = 'HIGH'

    def __init__(self, limit: str | int | None = None) -> None:
        self.limit = None if limit is None else parse_size(limit)
        self._highest: dict[str, float] = {}
        self._idle: dict[str, int] = {}
        self._before_validation = 0
        self._of_validation = 0  # up to here, the process's peak may be that of a validation
        self._watch: _Watch | None = None

    def before_train(self, runner: Any) -> None:
        """Note the memory in use; checkpoints keep it (``idle_process``, ``idle_reserved``)."""
        self._idle = dict(process=resident_memory())
        if torch.cuda.is_available():
            self._idle['reserved'] = torch.cuda.memory_reserved()
        for name, size in self._idle.items():
            runner.message_hub.update_info(f'idle_{name}', size)

    def before_val(self, runner: Any) -> None:
        """Note the peak up to here, which is the training's."""
        self._before_validation = peak_resident()

    def after_val(self, runner: Any) -> None:
        """Remember that a higher peak is the validation's; let the GPU's peaks start anew."""
        if peak_resident() > self._before_validation:
            self._of_validation = peak_resident()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Watch the process once its peak does not tell any more what the training takes."""
        if self._of_validation:
            self._watch = _Watch()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Bring the running peaks into the log.

        Raises:
            MemoryLimitError: If the training has taken more than the limit.
        """
        peaks = peak_memory()
        if self._watch is not None:
            seen = self._watch.stop()
            if peak_resident() <= self._of_validation:
                peaks['process'] = seen / 2**30
            self._watch = None
        for name, value in peaks.items():  # a LoggerHook resets the device's own peaks
            self._highest[name] = max(self._highest.get(name, 0.0), value)
            runner.message_hub.update_scalar(f'train/peak_{name}', self._highest[name])
        taken = self._highest.get('reserved', self._highest['process']) * 2**30
        if self.limit is not None and taken > self.limit:
            raise MemoryLimitError(
                f'training takes {format_size(taken)}, more than the limit of '
                f'{format_size(self.limit)} (iteration {runner.iter + 1})'
            )

    def after_train(self, runner: Any) -> None:
        """Print the table."""
        parameters = [p for p in runner.model.parameters() if p.requires_grad]
        rows = [('process before training', self._idle['process'])]
        rows.append(('model', sum(p.nbytes for p in runner.model.parameters())))
        known = getattr(runner.train_loop, 'memory', {})
        rows += [(label, known[part]) for part, label in PARTS.items() if part in known]
        rows.append(('gradients', sum(p.nbytes for p in parameters)))
        state = getattr(runner.optim_wrapper, 'optimizer', None)
        if state is not None:
            tensors = [v for s in state.state.values() for v in s.values() if isinstance(v, Tensor)]
            rows.append(('optimizer', sum(v.nbytes for v in tensors)))
        lines = [f'  {label:<26}{format_size(size):>10}' for label, size in rows]
        lines += [
            f'  {"highest, " + name:<26}{format_size(value * 2**30):>10}'
            for name, value in self._highest.items()
        ]
        where = 'GPU' if torch.cuda.is_available() else 'CPU'
        runner.logger.info(f'Memory of the training ({where}):\n' + '\n'.join(lines))


class _Watch:
    """The highest resident memory from now until :meth:`stop`; a thread looks every few ms."""

    def __init__(self, interval: float = 0.005) -> None:
        self._highest = resident_memory()
        self._interval = interval
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """End the thread; returns the memory [bytes]."""
        self._done.set()
        self._thread.join()
        return max(self._highest, resident_memory())

    def _look(self) -> None:
        while not self._done.wait(self._interval):
            self._highest = max(self._highest, resident_memory())
