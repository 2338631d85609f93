"""What all gradient strategies share: the batch, the step, the checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

import torch
from mmengine.dist import all_reduce_params, get_world_size
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmpatch.models.protocol import PatchModel
from mmpatch.patching import PatchBatch


class NonFiniteLossError(RuntimeError):
    """A loss or a gradient became NaN or infinite; no step was made with it."""


@dataclass
class BatchContext:
    """One batch and what it takes to train on it.

    Attributes:
        model: The model, without a distributed wrapper.
        batch: The batch, cut into patches.
        draws: Flat patch numbers of each of the J inner iterations.
        optim_wrapper: mmengine's optimizer wrapper; owns accumulation, clipping and precision.
        names: Names of the images, for messages.
        times: Seconds spent by stage, for the log.
    """

    model: PatchModel
    batch: PatchBatch
    draws: Sequence[Tensor]
    optim_wrapper: OptimWrapper
    names: Sequence[str]
    times: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time that a block takes to ``times[stage]``."""
        start = perf_counter()
        yield
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times[stage] += perf_counter() - start

    def backward(self, loss: Tensor) -> None:
        """Backward of one inner iteration, and an optimizer step if it is due.

        Between ranks gradients are averaged once, right before the step: DistributedDataParallel
        never sees the several backward passes that lie between two steps.

        Raises:
            NonFiniteLossError: If the loss or, where no loss scaler handles it, a gradient is not
                finite. The weights are then those of the last good step.
        """
        wrapper = self.optim_wrapper
        if not bool(torch.isfinite(loss)):
            raise NonFiniteLossError(self._blame(f'the loss is {float(loss)}'))
        wrapper.backward(wrapper.scale_loss(loss))
        if not wrapper.should_update():
            return
        parameters = [p for group in wrapper.param_groups for p in group['params']]
        reduce_gradients(parameters)
        if getattr(wrapper, 'loss_scaler', None) is None:
            grads = [p.grad for p in parameters if p.grad is not None]
            norms = torch.stack(torch._foreach_norm(grads))
            if not bool(torch.isfinite(norms).all()):
                raise NonFiniteLossError(self._blame('a gradient is not finite'))
        wrapper.step()
        wrapper.zero_grad()

    def _blame(self, what: str) -> str:
        return (
            f'{what} on the batch of {", ".join(self.names)}. No step was made with it. Look at '
            'these images and their labels, lower the learning rate or clip gradients '
            '(optim_wrapper.clip_grad)'
        )


class GradientStrategy(Protocol):
    """Trains on one batch and says what to log."""

    def __call__(self, context: BatchContext) -> dict[str, Tensor]:
        """Run forward and backward passes and steps; losses of the batch for the log."""


def reduce_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Average gradients over ranks; one that is missing counts as zero."""
    if get_world_size() == 1:
        return
    trained = [p for p in parameters if p.requires_grad]
    for parameter in trained:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    all_reduce_params([p.grad for p in trained], op='mean')


def mean_losses(parts: Sequence[tuple[dict[str, Any], float]]) -> dict[str, Tensor]:
    """Losses of a batch from those of its inner iterations.

    Args:
        parts: Losses of each inner iteration and the share of the batch that they were summed
            over (1: all of it).

    Returns:
        Each loss summed up and divided by the total share.
    """
    total = sum(share for _, share in parts)
    names = parts[0][0]
    return {name: sum(losses[name] for losses, _ in parts) / total for name in names}
