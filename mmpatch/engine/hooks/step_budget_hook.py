"""Training for a given number of optimizer steps, whatever a method calls an iteration."""

from __future__ import annotations

from typing import Any

from mmpatch.registry import HOOKS

from .budget_hook import BudgetHook, optimizers


@HOOKS.register_module()
class StepBudgetHook(BudgetHook):
    """Ends the training after some optimizer steps; the learning rate is that of :class:`BudgetHook`.

    If they are up among the inner iterations of a batch, the rest of these have a learning rate of
    zero.

    Args:
        steps: Optimizer steps; several optimizers count by the first one's.
        warmup: Share of them in which the learning rate rises, in [0, 1).

    Raises:
        ValueError: If there are no steps, the share is not in [0, 1), or the config has a schedule
            of its own.
    """

    def __init__(self, steps: int, warmup: float = 0.05) -> None:
        if steps < 1:
            raise ValueError(f'steps must be positive, got {steps}')
        super().__init__(steps, warmup)

    def before_train(self, runner: Any) -> None:
        """Count steps from here on."""
        super().before_train(runner)
        optimizers(runner.optim_wrapper)[0].register_step_post_hook(self._count)

    def _count(self, *_: Any) -> None:
        self.spent += 1

    def spent_now(self) -> float:
        """Steps up to now."""
        return self.spent

    def spent_after(self, runner: Any) -> float:
        """Steps up to the end of an iteration; each has been counted when it was made."""
        return self.spent

    def seconds_left(self, runner: Any) -> float:
        """Training time that is left, by the iterations so far [s]."""
        seconds = float(runner.message_hub.get_scalar('train/time').data[0].sum())
        return seconds / max(self.spent, 1) * (self.limit - self.spent)
