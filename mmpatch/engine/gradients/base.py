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

from mmpatch.engine.memory.meter import SavedTensors
from mmpatch.models.protocol import PatchModel
from mmpatch.patching import PatchBatch, Storage


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
        memory: What of the training takes how much memory [bytes], as far as it is known; kept
            from batch to batch.
    """

    model: PatchModel
    batch: PatchBatch
    draws: Sequence[Tensor]
    optim_wrapper: OptimWrapper
    names: Sequence[str]
    times: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    memory: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time that a block takes to ``times[stage]``."""
        start = perf_counter()
        yield
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times[stage] += perf_counter() - start

    @contextmanager
    def counted(self, what: str) -> Iterator[None]:
        """Note what autograd keeps of a block, the first time that it is run."""
        if what in self.memory:
            yield
            return
        with SavedTensors(known=self.parameters) as saved:
            yield
        self.memory[what] = saved.nbytes

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of (a part of) the loss of an inner iteration, scaled for the step.

        Accumulation and mixed precision scale the loss, once; what is computed from the gradients
        that arrive here carries that scale.
        """
        loss = self.optim_wrapper.scale_loss(loss)
        scaler = getattr(self.optim_wrapper, 'loss_scaler', None)
        (loss if scaler is None else scaler.scale(loss)).backward()

    def end_inner_iteration(self, loss: Tensor) -> None:
        """Count an inner iteration whose gradient is complete, and step if it is due.

        Between ranks gradients are averaged once, right before the step: DistributedDataParallel
        never sees the several backward passes that lie between two steps.

        Args:
            loss: The loss of the inner iteration.

        Raises:
            NonFiniteLossError: If the loss or, where no loss scaler handles it, a gradient is not
                finite. The weights are then those of the last good step.
        """
        wrapper = self.optim_wrapper
        if not bool(torch.isfinite(loss)):
            raise NonFiniteLossError(self._blame(f'the loss is {float(loss)}'))
        # The wrapper counts inner iterations by its calls of backward; this one adds nothing.
        wrapper.backward(torch.zeros_like(loss, requires_grad=True))
        if not wrapper.should_update():
            return
        parameters = self.parameters
        reduce_gradients(parameters)
        if getattr(wrapper, 'loss_scaler', None) is None:
            grads = [p.grad for p in parameters if p.grad is not None]
            norms = torch.stack(torch._foreach_norm(grads))
            if not bool(torch.isfinite(norms).all()):
                raise NonFiniteLossError(self._blame('a gradient is not finite'))
        wrapper.step()
        wrapper.zero_grad()

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All parameters that the optimizer knows."""
        return [p for group in self.optim_wrapper.param_groups for p in group['params']]

    def _blame(self, what: str) -> str:
        return (
            f'{what} on the batch of {", ".join(self.names)}. No step was made with it. Look at '
            'these images and their labels, lower the learning rate or clip gradients '
            '(optim_wrapper.clip_grad)'
        )


class GradientStrategy(Protocol):
    """Trains on one batch and says what to log.

    Attributes:
        samples: Whether it reads the draws of a batch. One that does not makes one inner
            iteration a batch, whatever the sampling rate.
        chunk_size: Patches that carry gradient through theta1 at once; None: all of a draw.
        storage: Where Z is kept.
    """

    samples: bool
    chunk_size: int | None
    storage: Storage

    def check(self, model: PatchModel) -> None:
        """Refuse a model that this strategy cannot train, before the training starts."""

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


@contextmanager
def without_statistics(model: Any) -> Iterator[None]:
    """Leave the running statistics of normalisation layers as they are.

    Layers in training mode still normalise by the statistics of their input, as they will in the
    gradient pass.
    """
    modules = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.modules.batchnorm._NormBase) and module.training
    ]
    tracking = [module.track_running_stats for module in modules]
    try:
        for module in modules:
            module.track_running_stats = False
        yield
    finally:
        for module, value in zip(modules, tracking):
            module.track_running_stats = value
