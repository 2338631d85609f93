"""The highest memory use of a whole training, and what it consists of."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from torch import Tensor

from mmpatch.registry import HOOKS
from mmpatch.utils.memory import format_size, parse_size, peak_memory, resident_memory

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
    """Logs the running peak of memory since the start of the process.

    Each iteration as ``peak_process`` (resident memory) and, with a GPU, ``peak_allocated`` and
    ``peak_reserved`` [GiB]; at the end a table of what took how much. mmengine's own ``memory`` is
    the peak of one logging window in MiB, on GPUs only.

    Args:
        limit: End the training with an error after the first iteration that has taken more, such
            as ``'4GiB'``: of the GPU (reserved), or of the process on a CPU. None: no limit.
    """

    priority = 'HIGH'

    def __init__(self, limit: str | int | None = None) -> None:
        self.limit = None if limit is None else parse_size(limit)
        self._highest: dict[str, float] = {}
        self._idle = 0

    def before_train(self, runner: Any) -> None:
        """Note what the process takes already; checkpoints keep it (message hub, ``idle_memory``)."""
        self._idle = resident_memory()
        runner.message_hub.update_info('idle_memory', self._idle)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Bring the running peaks into the log."""
        for name, value in peak_memory().items():  # a LoggerHook resets the device's own peaks
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
        rows = [('process before training', self._idle)]
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
