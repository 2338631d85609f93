"""Choosing how many patches go through theta1 at once, so that a budget of memory is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter

import torch
from torch import Tensor

from mmpatch.engine.gradients.base import BatchContext, GradientStrategy, without_statistics
from mmpatch.engine.gradients.replay import RandomState
from mmpatch.patching import Features, Latent, Reach, Storage
from mmpatch.patching.store import available_memory
from mmpatch.patching.visits import in_flight, visits

from .meter import PeakMeter, memory_in_use, release_unused
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
    device = context.parameters[0].device
    with _nothing_lasting(context):
        _measure(context, 1, device)  # warm up: libraries allocate, too
        features, one = _measure(context, 1, device)
        release_unused(device)
        base = memory_in_use(device)
        two = None
        if context.batch.num_patches > 1 and budget - base > 2.5 * max(one.theta1, one.theta2):
            _, two = _measure(context, 2, device)
    planner = _Planner(context, strategy, budget, base, features, one, two)
    storages = [strategy.storage]
    if device.type == 'cuda' and strategy.storage.device is None:
        storages.append(replace(strategy.storage, device='cpu'))
    for storage in storages:
        best = None
        for chunk in range(1, min(MOST, context.batch.num_patches) + 1):
            plan = planner.plan(chunk, storage)
            if plan.total > budget:
                break
            best = plan
        if best is not None:
            return best
    smallest = min((planner.plan(1, storage) for storage in storages), key=lambda p: p.total)
    what, size = max(smallest.rows, key=lambda row: row[1])
    raise BudgetError(
        f'a memory budget of {format_size(budget)} cannot be met: with one patch at a time '
        f'training takes {format_size(smallest.total)}, most of it {what} ({format_size(size)}). '
        'Allow at least that, or choose a smaller model.patch_size, a smaller batch or a smaller '
        f'model.\n{smallest.table()}'
    )


def apply_plan(plan: MemoryPlan, context: BatchContext, strategy: GradientStrategy) -> None:
    """Let a strategy and a model work as planned."""
    strategy.chunk_size = plan.chunk_size
    strategy.storage = plan.storage
    context.model.chunk_size = min(context.model.chunk_size, plan.chunk_size)


@dataclass(frozen=True)
class _Planner:
    """What a chunk takes, from what one patch and two take.

    Attributes:
        context, strategy, budget: As in :func:`plan_memory`.
        base: Memory in use between batches, gradients included [bytes].
        features: theta1's features of some patches.
        one, two: What was measured of one and of two patches; two is None if it was too much.
    """

    context: BatchContext
    strategy: GradientStrategy
    budget: int
    base: int
    features: Features
    one: _Probe
    two: _Probe | None

    def plan(self, chunk: int, storage: Storage) -> MemoryPlan:
        """What training takes with some chunk and place of Z.

        Raises:
            BudgetError: If Z does not fit into the host's memory.
        """
        on_host = storage.place(self.features[0]).type == 'cpu'
        on_cpu = self.features[0].device.type == 'cpu'
        latent = self.latent(chunk, storage)
        if on_host and latent > available_memory():
            raise BudgetError(
                f'Z of such a batch takes {format_size(latent)}, but the host has only '
                f'{format_size(available_memory())} left: use a smaller batch or larger patches, '
                "or keep half precision (latent=dict(dtype='bfloat16') of the gradient)"
            )
        theta1, theta2 = self.theta1(chunk), self.theta2(chunk)
        active = max(theta1, theta2)
        grads, state = _optimizer_memory(self.context)
        counted = latent if on_cpu or not on_host else 0
        rows = [
            ('process, model, images' if on_cpu else 'model', self.base - grads),
            ('gradients', grads),
            ('optimizer', state),
            ('Z and its gradient', counted),
            (f'theta1, {chunk} patch(es)' if theta1 >= theta2 else 'theta2', active),
            ('margin', int(MARGIN * (active + counted + state))),
        ]
        return MemoryPlan(chunk, storage, rows, self.budget, self.seconds(chunk))

    @property
    def drawn(self) -> int:
        """Patches of the largest draw."""
        return max(len(part) for part in self.context.draws)

    def at_once(self, chunk: int) -> bool:
        """Whether graphs through theta1 are kept with this chunk, so that nothing is replayed."""
        return chunk >= self.drawn

    def latent(self, chunk: int, storage: Storage) -> int:
        """Memory of Z and of the gradients that are collected for it [bytes]."""
        size = storage.patch_bytes(self.features)
        batch = self.context.batch
        if self.strategy.samples:
            return size * (batch.num_patches + self.drawn)
        return 2 * size * in_flight(visits(batch, chunk, self.context.model.reach))

    def theta1(self, chunk: int) -> int:
        """Memory of the largest graph through theta1 [bytes]."""
        if self.at_once(chunk):  # the graphs of the global patches and of theta2 are held as well
            count = self.drawn + self.context.batch.num_images
            return self.linear('theta1', count) + self.theta2(chunk)
        return self.linear('theta1', chunk)

    def theta2(self, chunk: int) -> int:
        """Memory of the largest graph through theta2 [bytes]."""
        if self.context.model.reach is Reach.EVERYTHING:
            return self.one.theta2  # measured with all patches
        return self.linear('theta2', min(chunk, self.drawn))

    def linear(self, part: str, count: int) -> int:
        """Memory of ``count`` patches [bytes]."""
        first: int = getattr(self.one, part)
        slope = getattr(self.two, part) - first if self.two is not None else first
        return first + (slope if slope > 0 else first) * (count - 1)

    def seconds(self, chunk: int) -> float:
        """Time of the gradient of a batch [s]."""
        best = self.one.encode_seconds
        if self.two is not None and chunk > 1:
            best = self.two.encode_seconds / 2
        patches = self.context.batch.num_patches
        encode = 1.0 if self.at_once(chunk) else 4 / 3  # a pass without gradient is a third
        visited = self.drawn * len(self.context.draws) if self.strategy.samples else patches
        fill = patches * best / 3 if self.strategy.samples else 0.0
        return fill + visited * (encode * best + self.one.score_seconds)


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
    whole = model.reach is Reach.EVERYTHING
    scored = torch.arange(batch.num_patches) if whole else part
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
