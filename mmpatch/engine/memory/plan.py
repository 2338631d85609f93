"""Choosing how many patches go through theta1 at once, so that a budget of memory is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from mmpatch.engine.gradients.base import BatchContext, GradientStrategy, without_statistics
from mmpatch.engine.gradients.replay import RandomState
from mmpatch.patching import Features, Latent, Storage
from mmpatch.patching.wavefront import everything, in_flight, wavefront
from mmpatch.utils.memory import available_memory

from .meter import PeakMeter, memory_in_use
from .size import format_size

#: What measurements of a dry run may fall short of the real run, as a share of what it adds.
MARGIN = 0.1
#: No larger chunk is tried; more patches at once do not make a step faster.
MOST = 64


@dataclass(frozen=True)
class MemoryPlan:
    """How a training step uses memory.

    Attributes:
        chunk_size: Patches with gradient at once.
        storage: Where Z lives.
        rows: What takes how much [bytes].
        budget: What may be used [bytes].
        seconds: Expected time of the gradient of one batch [s].
    """

    chunk_size: int
    storage: Storage
    rows: Sequence[tuple[str, int]]
    budget: int
    seconds: float

    @property
    def total(self) -> int:
        """The expected peak [bytes]."""
        return sum(size for _, size in self.rows)

    def table(self) -> str:
        """The plan as a table for the terminal."""
        where = self.storage.device or 'where theta1 runs'
        lines = [
            *self.rows,
            ('expected peak', self.total),
            ('budget', self.budget),
        ]
        width = max(len(what) for what, _ in lines)
        text = '\n'.join(f'  {what:<{width}}  {format_size(size):>10}' for what, size in lines)
        return (
            f'{text}\n  {self.chunk_size} patch(es) with gradient at a time, Z {where}; about '
            f'{self.seconds:.1f} s for the gradient of such a batch'
        )


class BudgetError(ValueError):
    """A memory budget that cannot be met."""


@dataclass(frozen=True)
class _Probe:
    """What a chunk of patches takes on top of the rest: memory [bytes] and time [s]."""

    theta1: int
    theta2: int
    encode_seconds: float
    score_seconds: float


def plan_memory(context: BatchContext, strategy: GradientStrategy, budget: int) -> MemoryPlan:
    """Find the largest chunk with which training on a batch stays within a budget.

    Runs one and two patches through theta1 and theta2; gradients, running statistics and random
    states are afterwards what they were before. Memory grows linearly with the chunk.

    Args:
        context: A batch of the largest images.
        strategy: How its gradient will be computed.
        budget: Device memory on a GPU, else memory of the process [bytes].

    Returns:
        The plan; apply it with :func:`apply_plan`.

    Raises:
        BudgetError: If one patch at a time takes more, or Z does not fit into the host's memory.
    """
    device = next(iter(context.parameters)).device
    with _nothing_lasting(context):
        features, _ = _measure(context, 1, device)  # warm up: libraries allocate, too
        features, one = _measure(context, 1, device)
        base = memory_in_use(device)
        two = one
        room = budget - base
        if context.batch.num_patches > 1 and room > 2.5 * max(one.theta1, one.theta2):
            _, two = _measure(context, 2, device)
    storages = [strategy.storage]
    if device.type == 'cuda' and strategy.storage.device is None:
        storages.append(replace(strategy.storage, device='cpu'))
    best: MemoryPlan | None = None
    smallest: MemoryPlan | None = None
    for storage in storages:
        for chunk in range(1, min(MOST, context.batch.num_patches) + 1):
            plan = _plan(context, strategy, budget, chunk, storage, base, features, one, two)
            if smallest is None or plan.total < smallest.total:
                smallest = plan
            if plan.total <= budget and (best is None or chunk > best.chunk_size):
                best = plan
            if plan.total > budget:
                break
        if best is not None:
            break
    assert smallest is not None
    if best is None:
        what, size = max(smallest.rows, key=lambda row: row[1])
        raise BudgetError(
            f'a memory budget of {format_size(budget)} cannot be met: with one patch at a time '
            f'training takes {format_size(smallest.total)}, most of it {what} '
            f'({format_size(size)}). Allow at least that, or choose a smaller model.patch_size, a '
            f'smaller batch or a smaller model.\n{smallest.table()}'
        )
    return best


def apply_plan(plan: MemoryPlan, context: BatchContext, strategy: Any) -> None:
    """Let a strategy and a model work as planned."""
    strategy.chunk_size = plan.chunk_size
    strategy.storage = plan.storage
    context.model.chunk_size = min(context.model.chunk_size, plan.chunk_size)


def _plan(
    context: BatchContext,
    strategy: GradientStrategy,
    budget: int,
    chunk: int,
    storage: Storage,
    base: int,
    features: Features,
    one: _Probe,
    two: _Probe,
) -> MemoryPlan:
    """What training takes with some chunk."""
    batch, device = context.batch, features[0].device
    patch = sum(
        f[0].numel() * (storage.dtype or f.dtype).itemsize  # type: ignore[union-attr]
        for f in features
    )
    drawn = max(len(part) for part in context.draws)
    if strategy.samples:
        at_once = chunk >= drawn
        latent = patch * (batch.num_patches + (0 if at_once else drawn))
        visited, passes = drawn, 1 if at_once else 4 / 3
        theta1 = _linear(one.theta1, two.theta1, min(chunk, drawn))
        theta2 = _linear(one.theta2, two.theta2, min(chunk, drawn))
        if at_once:  # the graph of the global patches and of theta2 is held as well
            theta1 = _linear(one.theta1, two.theta1, drawn + batch.num_images) + theta2
        repeat = len(context.draws)
    else:
        order = wavefront if context.model.local else everything
        latent = 2 * patch * in_flight(order(batch, chunk))
        visited, passes, repeat = batch.num_patches, 4 / 3, 1
        theta1 = _linear(one.theta1, two.theta1, chunk)
        theta2 = _linear(one.theta2, two.theta2, chunk if context.model.local else visited)
    if storage.device == 'cpu' or device.type == 'cpu':
        available = available_memory()
        if latent > available:
            raise BudgetError(
                f'Z of such a batch takes {format_size(latent)}, but the host has only '
                f'{format_size(available)} left: use a smaller batch or larger patches, or keep '
                "half precision (latent=dict(dtype='bfloat16') of the gradient)"
            )
    on_device = latent if storage.device != 'cpu' or device.type == 'cpu' else 0
    grads, state = _optimizer_memory(context)
    rows = [
        ('process, model, images' if device.type == 'cpu' else 'model', base - grads),
        ('gradients', grads),
        ('optimizer', state),
        ('Z and its gradient', on_device),
    ]
    active = max(theta1, theta2)
    name = f'theta1, {chunk} patch(es)' if theta1 >= theta2 else 'theta2'
    rows.append((name, active))
    rows.append(('margin', int(MARGIN * (active + on_device + state))))
    per_patch = two.encode_seconds / 2 if two is not one else one.encode_seconds
    seconds = repeat * visited * (passes * per_patch + one.score_seconds)
    if strategy.samples:
        seconds += batch.num_patches * per_patch / 3
    return MemoryPlan(chunk, storage, rows, budget, seconds)


def _linear(one: int, two: int, count: int) -> int:
    """Memory of ``count`` patches from that of one and of two."""
    slope = two - one if two > one else one
    return one + slope * (count - 1)


def _measure(context: BatchContext, count: int, device: torch.device) -> tuple[Features, _Probe]:
    """Send the first patches through theta1 and theta2, forward and backward."""
    model, batch, optim = context.model, context.batch, context.optim_wrapper
    part = torch.arange(min(count, batch.num_patches))
    start = perf_counter()
    with PeakMeter(device) as theta1:
        with optim.optim_context(model), without_statistics(model):
            features = model.encode(batch, part)
        live = [f for f in features if f.requires_grad]
        if live:
            torch.autograd.backward(live, [torch.zeros_like(f) for f in live])
        features = tuple(f.detach() for f in features)
        del live
    middle = perf_counter()
    with torch.no_grad(), optim.optim_context(model), without_statistics(model):
        around = model.encode_global(batch)
    around = None if around is None else tuple(x.requires_grad_() for x in around)
    latent = Latent(batch, capacity=1)  # every patch looks like the first one
    latent.write(torch.arange(1), tuple(f[:1] for f in features))
    latent.collect(None, features)
    scored = part if model.local else torch.arange(batch.num_patches)
    before_score = perf_counter()
    with PeakMeter(device) as theta2:
        with optim.optim_context(model):
            losses = model.loss_at(batch, latent, around, scored)
        loss, _ = model.parse_losses(losses)
        context.backward(loss * 0)
        del losses, loss
    end = perf_counter()
    return features, _Probe(theta1.growth, theta2.growth, middle - start, end - before_score)


@contextmanager
def _nothing_lasting(context: BatchContext) -> Iterator[None]:
    """Leave gradients and random states as they are."""
    state = RandomState.capture()
    kept: list[Tensor | None] = [parameter.grad for parameter in context.parameters]
    for parameter in context.parameters:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, grad in zip(context.parameters, kept):
            parameter.grad = grad
        state.restore()


def _optimizer_memory(context: BatchContext) -> tuple[int, int]:
    """Memory of the gradients, and of the optimizer's state as far as it does not exist yet."""
    trained = [p for p in context.parameters if p.requires_grad]
    grads = sum(p.nbytes for p in trained)
    optimizer = context.optim_wrapper.optimizer
    if optimizer.state:
        return grads, 0
    probe = torch.nn.Parameter(torch.zeros(64))
    probe.grad = torch.zeros(64)
    defaults = {k: v for k, v in optimizer.defaults.items() if k != 'differentiable'}
    try:
        trial = type(optimizer)([probe], **defaults)
        trial.step()
    except Exception:  # an optimizer with arguments of its own: two numbers a parameter, as Adam
        return grads, 2 * grads
    tensors = [v for v in trial.state[probe].values() if isinstance(v, Tensor)]
    return grads, sum(v.numel() for v in tensors if v.numel() > 1) * grads // 64
