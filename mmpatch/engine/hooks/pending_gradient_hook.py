"""Gradients that wait for their step outlive an interruption."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from mmpatch.engine.stepper import reduce_gradients
from mmpatch.registry import HOOKS


@HOOKS.register_module()
class PendingGradientHook(Hook):
    """Saves accumulated gradients with a checkpoint and restores them on resume.

    A checkpoint between two optimizer steps would otherwise lose what was accumulated, and the
    resumed run would end elsewhere. Only the first rank saves. So gradients that wait are averaged
    over ranks at the end of each iteration, which leaves the average of the step as it is. Ranks that
    share a batch then hold equal shares of its gradient; the whole is saved, so that another number
    of ranks can go on. The train loops of mmpatch register this hook themselves.
    """

    KEY = 'pending_gradients'

    def __init__(self) -> None:
        self._pending: dict[str, Any] = {}

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Give all ranks the same waiting gradients, before another hook saves them."""
        parameters = [parameter for _, parameter in _parameters(runner)]
        if any(parameter.grad is not None for parameter in parameters):
            reduce_gradients(parameters)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the gradients, if there are any, to what is saved."""
        share = runner.train_loop.stepper.sharing if runner.train_loop is not None else 1
        grads = {name: p.grad * share for name, p in _parameters(runner) if p.grad is not None}
        if grads and runner.train_loop is not None:
            checkpoint[self.KEY] = grads

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Keep the saved gradients until it is known whether this is a resume."""
        self._pending = checkpoint.get(self.KEY, {})

    def before_train(self, runner: Any) -> None:
        """Put the gradients back in place if training goes on from a checkpoint."""
        if runner.iter > 0:
            for name, parameter in _parameters(runner):
                if name in self._pending:
                    share = runner.train_loop.stepper.sharing
                    parameter.grad = self._pending[name].to(parameter) / share
        self._pending = {}


def _parameters(runner: Any) -> Any:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return model.named_parameters()
