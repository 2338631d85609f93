"""Training for a given time, so that methods of different speed can be compared."""

from __future__ import annotations

import math
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook

from mmpatch.registry import HOOKS


@HOOKS.register_module()
class TimeBudgetHook(Hook):
    """Ends the training after a time, and fits the learning rate's schedule into it.

    The time is that of training iterations, loading of their data included; what validation and
    checkpoints take does not count, nor does an interruption. The learning rate rises linearly, then
    falls to zero along a cosine; every optimizer step has its own, those of the inner iterations of
    a batch too. The epoch that the time ends in is the last one: it is validated
    and saved like any other.

    Args:
        minutes: Time to train [min].
        warmup: Share of it in which the learning rate rises, in [0, 1).

    Raises:
        ValueError: If the time is not positive, the share is not in [0, 1), or the config has a
            schedule of its own.
    """

    priority = 55  # after the timer has measured an iteration, before it is logged and saved

    def __init__(self, minutes: float, warmup: float = 0.05) -> None:
        if minutes <= 0:
            raise ValueError(f'minutes must be positive, got {minutes}')
        if not 0 <= warmup < 1:
            raise ValueError(f'warmup must be in [0, 1), got {warmup}')
        self.limit = 60 * minutes
        self.warmup = warmup
        self.spent = 0.0
        self._started = 0.0  # the iteration, by the clock

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self.spent >= self.limit

    def before_train(self, runner: Any) -> None:
        """Count what was spent before an interruption; let epochs end in their middle."""
        if runner.param_schedulers:
            raise ValueError(
                'TimeBudgetHook sets the learning rate by time, but the config has a '
                'param_scheduler as well: set param_scheduler=None'
            )
        times = runner.message_hub.log_scalars.get('train/time')
        self.spent = 0.0 if times is None else float(times.data[0].sum())
        runner.train_loop.dataloader = _UntilOver(runner.train_loop.dataloader, self)
        for optimizer in _optimizers(runner.optim_wrapper):
            optimizer.register_step_pre_hook(self._set_rate)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Start the clock."""
        self._started = perf_counter()
        for optimizer in _optimizers(runner.optim_wrapper):
            self._set_rate(optimizer)

    def _set_rate(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """Set the learning rate by what was spent up to now."""
        factor = self.factor((self.spent + perf_counter() - self._started) / self.limit)
        for group in optimizer.param_groups:
            group['lr'] = group.setdefault('initial_lr', group['lr']) * factor

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Make the epoch and iteration the last ones if the time is up, in all processes at once."""
        spent = torch.tensor(self.spent + runner.message_hub.get_scalar('train/time').current())
        all_reduce(spent, 'max')
        self.spent = float(spent)
        runner.message_hub.update_info('eta', max(0.0, self.limit - self.spent))
        if self.over:
            loop = runner.train_loop
            loop._max_epochs, loop._max_iters = loop._epoch + 1, loop._iter + 1

    def factor(self, progress: float) -> float:
        """Factor of the learning rate after a share of the time."""
        if progress < self.warmup:
            return max(progress / self.warmup, 0.01)
        share = (min(progress, 1.0) - self.warmup) / (1 - self.warmup)
        return 0.5 * (1 + math.cos(math.pi * share))


class _UntilOver:
    """A data loader that has no more batches once the time is up."""

    def __init__(self, loader: Any, budget: TimeBudgetHook) -> None:
        self._loader = loader
        self._budget = budget

    def __iter__(self) -> Iterator[Any]:
        for batch in self._loader:
            if self._budget.over:
                return
            yield batch

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _optimizers(wrapper: Any) -> list[Any]:
    """The optimizers of a wrapper, or of a dict of wrappers."""
    parts = wrapper.optim_wrappers.values() if hasattr(wrapper, 'optim_wrappers') else [wrapper]
    return [part.optimizer for part in parts]
