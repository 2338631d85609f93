"""Backward passes and optimizer steps of inner iterations."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

import torch
from mmengine.dist import all_reduce, all_reduce_params, get_world_size
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

#: Gradients that are sent at a time [MiB]; copies of them are made.
BUCKET_MIB = 16


class NonFiniteLossError(RuntimeError):
    """A loss or a gradient became NaN or infinite; no step was made with it."""


@dataclass
class Accumulation:
    """Counts inner iterations and says when an optimizer step is due.

    mmengine's wrapper counts its own calls of ``backward``. An inner iteration has several backward
    passes, so it is counted here, by the host's rule: the last inner iterations make a step of
    their own if they do not fill a whole one.

    Args:
        every: Inner iterations per optimizer step.
        total: Inner iterations until the end (of the epoch, or of the training); None: no end.
        done: Inner iterations so far.
    """

    every: int = 1
    total: int | None = None
    done: int = 0

    @property
    def divisor(self) -> int:
        """Inner iterations that share the step of the current one."""
        rest = 0 if self.total is None else self.total % self.every
        if self.total is not None and rest and self.done >= self.total - rest:
            return rest
        return self.every

    def advance(self) -> bool:
        """Count one inner iteration; whether a step is due after it."""
        self.done += 1
        return self.done % self.every == 0 or self.done == self.total


class Stepper:
    """Precision, backward passes and steps of a training, over all of its ranks.

    Args:
        wrapper: mmengine's optimizer wrapper; owns precision, clipping and the optimizer.
        accumulation: When to step. None: as the wrapper is configured, without end.
        sharing: Ranks that share the patches of a batch; the gradient is the sum of theirs.
    """

    def __init__(
        self, wrapper: OptimWrapper, accumulation: Accumulation | None = None, sharing: int = 1
    ) -> None:
        self.wrapper = wrapper
        self.sharing = sharing
        self.accumulation = accumulation or Accumulation(wrapper._accumulative_counts)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All parameters that the optimizer knows."""
        return [p for group in self.wrapper.param_groups for p in group['params']]

    def precision(self, model: Any) -> AbstractContextManager[None]:
        """The precision of forward passes."""
        return cast('AbstractContextManager[None]', self.wrapper.optim_context(model))

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a loss, or of a part of it, scaled for the step.

        Accumulation and mixed precision scale the loss here, once. Gradients that are computed
        from those that arrive in Z carry the scale with them.
        """
        loss = loss / self.accumulation.divisor
        scaler = getattr(self.wrapper, 'loss_scaler', None)
        (loss if scaler is None else scaler.scale(loss)).backward()

    def end_inner_iteration(self, loss: Tensor, names: Sequence[str]) -> None:
        """Count an inner iteration whose gradient is complete, and step if it is due.

        Gradients are averaged over batches once, right before the step. DistributedDataParallel
        never sees the several backward passes that lie between two steps.

        Args:
            loss: The loss of the inner iteration.
            names: Names of the images, for messages.

        Raises:
            NonFiniteLossError: On all ranks, if the loss of any rank or, where no loss scaler
                handles it, a gradient is not finite. The weights are those of the last good step.
        """
        if not _finite_everywhere(loss):
            fault = f'the loss is {float(loss)}'
            if bool(torch.isfinite(loss)):
                fault = 'the loss of another process is not finite; this one is'
            raise NonFiniteLossError(_blame(fault, names))
        if not self.accumulation.advance():
            return
        reduce_gradients(self.parameters, self.sharing)
        if getattr(self.wrapper, 'loss_scaler', None) is None:
            grads = [p.grad for p in self.parameters if p.grad is not None]
            if not bool(torch.isfinite(torch.stack(torch._foreach_norm(grads))).all()):
                raise NonFiniteLossError(_blame('a gradient is not finite', names))
        self.wrapper.step()
        self.wrapper.zero_grad()


def reduce_gradients(parameters: Sequence[nn.Parameter], sharing: int = 1) -> None:
    """Average gradients over batches; one that is missing counts as zero.

    Args:
        parameters: Whose gradients.
        sharing: Ranks that have parts of the gradient of one batch.
    """
    if get_world_size() == 1:
        return
    grads: list[Tensor] = []
    for parameter in parameters:
        if parameter.requires_grad:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            grads.append(parameter.grad)
    all_reduce_params(grads, bucket_size_mb=BUCKET_MIB, op='mean')
    if sharing > 1:
        torch._foreach_mul_(grads, sharing)


def _finite_everywhere(loss: Tensor) -> bool:
    """Whether the losses of all ranks are finite; every rank has to call this equally often."""
    finite = torch.isfinite(loss).to(torch.uint8)
    all_reduce(finite, op='min')
    return bool(finite)


def _blame(fault: str, names: Sequence[str]) -> str:
    return (
        f'{fault} on the batch of {", ".join(names)}. No step was made with it. Look at these '
        'images and their labels, lower the learning rate or clip gradients '
        '(optim_wrapper.clip_grad)'
    )
