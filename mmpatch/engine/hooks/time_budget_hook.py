"""Training for a given time, so that methods of different speed can be compared."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import torch
from mmengine.dist import all_reduce, broadcast

from mmpatch.registry import HOOKS

from .budget_hook import BudgetHook


@HOOKS.register_module()
class TimeBudgetHook(BudgetHook):
    """Ends the training after a time; the learning rate is that of :class:`BudgetHook`.

    The time is that of training iterations, loading of their data included; what validation and
    checkpoints take does not count, nor does an interruption.

    Args:
        minutes: Time to train [min].
        warmup: Share of it in which the learning rate rises, in [0, 1).

    Raises:
        ValueError: If the time is not positive, the share is not in [0, 1), or the config has a
            schedule of its own.
    """

    def __init__(self, minutes: float, warmup: float = 0.05) -> None:
        if minutes <= 0:
            raise ValueError(f'minutes must be positive, got {minutes}')
        super().__init__(60 * minutes, warmup)
        self._started = 0.0  # the iteration, by the clock

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Start the clock."""
        self._started = perf_counter()

    def spent_now(self) -> float:
        """What is spent at this moment by the clock of the first process [s].

        Weights would drift apart if every process set the learning rate by a clock of its own.
        All processes make the same steps, so all of them take part.
        """
        spent = torch.tensor(self.spent + perf_counter() - self._started, dtype=torch.float64)
        broadcast(spent)
        return float(spent)

    def spent_after(self, runner: Any) -> float:
        """What is spent in the slowest process [s]."""
        # In float32, the sum would lose what fast iterations add to some hours.
        seconds = float(runner.message_hub.get_scalar('train/time').current())
        spent = torch.tensor(self.spent + seconds, dtype=torch.float64)
        all_reduce(spent, 'max')
        return float(spent)

    def seconds_left(self, runner: Any) -> float:
        """What is left [s]."""
        return self.limit - self.spent
