"""The common part of trainings under a budget: their end, and a learning rate that fits into it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.hooks import Hook


class BudgetHook(Hook):
    """Ends the training once a budget is spent, and fits the learning rate's schedule into it.

    The learning rate rises linearly, then falls to zero along a cosine; every optimizer step has its
    own, those of the inner iterations of a batch too. The iteration in which the budget runs out is
    the last one, in the middle of an epoch too: this epoch is validated and saved like any other.

    Args:
        limit: The budget, positive.
        warmup: Share of it in which the learning rate rises, in [0, 1).

    Raises:
        ValueError: If the share is not in [0, 1), or the config has a schedule of its own.

    Attributes:
        spent: The amount spent until the end of the last iteration.
    """

    priority = 55  # after the timer has measured an iteration, before it is logged and saved

    def __init__(self, limit: float, warmup: float) -> None:
        if not 0 <= warmup < 1:
            raise ValueError(f'warmup must be in [0, 1), got {warmup}')
        self.limit = limit
        self.warmup = warmup
        self.spent = 0.0

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return self.spent >= self.limit

    @property
    def _key(self) -> str:
        """What checkpoints call the amount spent; a budget of another unit does not read it."""
        return f'{type(self).__name__}.spent'

    def spent_now(self) -> float:
        """What is spent at this moment, within an iteration, the same in all processes."""
        raise NotImplementedError

    def spent_after(self, runner: Any) -> float:
        """What is spent at the end of an iteration, the same in all processes."""
        raise NotImplementedError

    def seconds_left(self, runner: Any) -> float:
        """Training time that is left [s]."""
        raise NotImplementedError

    def before_train(self, runner: Any) -> None:
        """Take up what was spent before an interruption; let epochs end in their middle.

        Raises:
            ValueError: If the config has a schedule of its own.
        """
        if runner.param_schedulers:
            raise ValueError(
                f'{type(self).__name__} sets the learning rate, but the config has a '
                'param_scheduler as well: set param_scheduler=None'
            )
        self.spent = runner.message_hub.runtime_info.get(self._key, 0.0)
        runner.train_loop.dataloader = _UntilOver(runner.train_loop.dataloader, self)
        for optimizer in optimizers(runner.optim_wrapper):
            optimizer.register_step_pre_hook(self._set_rate)
            self._set_factor(optimizer, self.spent)  # the log takes it before the iteration
        if self.over:  # a resumed training that had ended
            loop = runner.train_loop
            loop._max_epochs, loop._max_iters = loop._epoch, loop._iter

    def _set_rate(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """Set the learning rate of a step by what is spent at this moment."""
        self._set_factor(optimizer, self.spent_now())

    def _set_factor(self, optimizer: torch.optim.Optimizer, spent: float) -> None:
        for group in optimizer.param_groups:
            group['lr'] = group.setdefault('initial_lr', group['lr']) * self.factor(
                spent / self.limit
            )

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Make the epoch and iteration the last ones if the budget is spent."""
        self.spent = self.spent_after(runner)
        runner.message_hub.update_info(self._key, self.spent)
        runner.message_hub.update_info('eta', max(0.0, self.seconds_left(runner)))
        for optimizer in optimizers(runner.optim_wrapper):
            self._set_factor(optimizer, self.spent)
        if self.over:
            loop = runner.train_loop
            loop._max_epochs, loop._max_iters = loop._epoch + 1, loop._iter + 1

    def factor(self, progress: float) -> float:
        """Factor of the learning rate after a share of the budget."""
        if progress < self.warmup:
            return max(progress / self.warmup, 0.01)
        share = (min(progress, 1.0) - self.warmup) / (1 - self.warmup)
        return 0.5 * (1 + math.cos(math.pi * share))


class _UntilOver:
    """A data loader that has no more batches once the budget is spent."""

    def __init__(self, loader: Any, budget: BudgetHook) -> None:
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


def optimizers(wrapper: Any) -> list[Any]:
    """The optimizers of a wrapper, or of a dict of wrappers."""
    parts = wrapper.optim_wrappers.values() if hasattr(wrapper, 'optim_wrappers') else [wrapper]
    return [part.optimizer for part in parts]
