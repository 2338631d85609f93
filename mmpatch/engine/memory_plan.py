"""Choosing how many patches are in memory with their graphs, so that a memory budget is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from mmpatch.patching import Storage
from mmpatch.utils.memory import format_size, is_out_of_memory

from .gradients.passes import Passes
from .gradients.strategy import GradientStrategy
from .gradients.workload import Workload
from .rehearsal import WORKSPACE, Rehearsal, rehearse

#: Numbers of graphs that are tried, each smaller than the one before, until one fits.
TRIES = 4
#: The search for a larger chunk ends where encoding a patch takes more than that share of its time before.
WORTH = 0.95


@dataclass(frozen=True)
class MemoryPlan:
    """How a training keeps its budget.

    Attributes:
        measured: The rehearsal with the patches that are chosen.
        budget: Memory that may be used [bytes].
        once: Share of the patches that are encoded once, not twice, since graphs are kept.
        saved: Share of the time that this saves.
    """

    measured: Rehearsal
    budget: int
    once: float = 0.0
    saved: float = 0.0

    @property
    def work(self) -> Workload:
        """Patches in memory with their graphs."""
        return self.measured.work

    def table(self) -> str:
        """The plan as a table for the terminal."""
        measured = self.measured
        rows = {**measured.components, 'expected peak': measured.peak, 'budget': self.budget}
        width = max(map(len, rows))
        lines = [f'  {name:<{width}}  {format_size(size):>10}' for name, size in rows.items()]
        where = measured.storage.device or 'where theta1 runs'
        lines.append(f'  {self.work}, Z {where}')
        if self.once:
            lines.append(
                f'  {self.once:.0%} of the patches are encoded once, not twice; this saves about '
                f'{self.saved:.0%} of the time'
            )
        return '\n'.join(lines)


class BudgetError(ValueError):
    """A memory budget that cannot be met."""


def plan_memory(
    passes: Passes, draws: Sequence[Tensor], gradient: GradientStrategy, budget: int
) -> MemoryPlan:
    """Find how many patches training on a batch can hold within a budget.

    The gradient of the batch is rehearsed with one patch at a time, then with two, four and so on up
    to the model's ``chunk_size``, as long as the next one is expected to fit and is faster. Memory
    that a chunk leaves may keep graphs of more patches, which then are not encoded twice. The plan has
    the chunk that takes the least time with them. Ranks that share
    patches plan together, for the one that needs most. Gradients, statistics and random states are afterwards what
    they were before.

    Args:
        passes: A batch of the largest images.
        draws: Its draws.
        gradient: How its gradient will be computed.
        budget: Device memory on a GPU, else memory of the process [bytes].

    Returns:
        The plan; apply it with :func:`apply_plan`.

    Raises:
        BudgetError: If one patch at a time takes more.
    """
    storages = [gradient.storage]
    if passes.stepper.parameters[0].device.type == 'cuda' and gradient.storage.device is None:
        storages.append(replace(gradient.storage, device='cpu'))
    smallest: MemoryPlan | None = None
    for storage in storages:
        plan = _largest_that_fits(passes, draws, gradient, storage, budget)
        if plan.measured.peak <= budget:
            return plan
        smallest = (
            plan if smallest is None or plan.measured.peak < smallest.measured.peak else smallest
        )
    assert smallest is not None
    component, size = max(smallest.measured.components.items(), key=lambda item: item[1])
    raise BudgetError(
        f'a memory budget of {format_size(budget)} cannot be met: with one patch at a time '
        f'training takes {format_size(smallest.measured.peak)}, most of it {component} '
        f'({format_size(size)}). Allow at least that, or choose a smaller model.patch_size, a '
        f'smaller batch or a smaller model.\n{smallest.table()}'
    )


def apply_plan(plan: MemoryPlan, passes: Passes, gradient: GradientStrategy) -> None:
    """Let a strategy and a model work as planned.

    On a GPU the allocator refuses more than the budget from then on. Where a batch needs more than
    the rehearsal did, its step is repeated with fewer patches.
    """
    gradient.work = plan.work
    gradient.storage = plan.measured.storage
    passes.model.chunk_size = min(passes.model.chunk_size, plan.work.chunk_size)
    device = passes.stepper.parameters[0].device
    if device.type == 'cuda':
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, plan.budget / total), device)


def _largest_that_fits(
    passes: Passes,
    draws: Sequence[Tensor],
    gradient: GradientStrategy,
    storage: Storage,
    budget: int,
) -> MemoryPlan:
    """The plan that takes the least time of those that fit, or one patch at a time if none does."""
    measure = partial(rehearse, passes, draws, gradient, storage)
    measure(Workload(1))  # pays for what libraries allocate once
    tried = [measure(Workload(1))]
    patches = _patches_with_gradient(passes, draws, gradient)
    windows = patches + _global_patches(passes)  # a chunk of them all is the least work
    if windows <= 1:
        return MemoryPlan(tried[0], budget)
    most = windows if patches <= passes.model.chunk_size else passes.model.chunk_size
    while (chunk_size := tried[-1].work.chunk_size) < most:
        larger = 2 * chunk_size if 2 * chunk_size < min(patches, most) else most
        expected = _expected_growth(passes, tried[-1], larger, windows)
        if tried[-1].peak + expected > budget:
            break
        measured = _unless_refused(passes, measure, Workload(larger))
        if measured is None or measured.peak > budget:
            break
        if larger == windows:
            return MemoryPlan(measured, budget)
        if measured.pace > WORTH * tried[-1].pace:
            break
        tried.append(measured)
    waiting = [
        int(passes.group.most(gradient.waiting(passes, draws, each.work.chunk_size)))
        for each in tried
    ]
    times = [
        passes.group.most(_expected_time(each, tried[0], number, budget))
        for each, number in zip(tried, waiting)
    ]
    best = times.index(min(times))
    return _with_graphs(tried[best], passes, waiting[best], budget, measure)


def _expected_time(measured: Rehearsal, first: Rehearsal, waiting: int, budget: int) -> float:
    """Time of a gradient if graphs take the memory that a chunk size leaves [s].

    Args:
        measured: The rehearsal with this chunk size.
        first: The rehearsal with one patch at a time, whose times are taken.
        waiting: Patches between their encoding and their backward pass.
        budget: Memory that may be used [bytes].
    """
    times = dict(first.times)
    score, encode = times.pop('score', 0.0), times.pop('encode', 0.0)
    chunk_size, once = measured.work.chunk_size, 0.0
    if chunk_size >= waiting:
        once = 1.0
    elif measured.graph:  # graphs are kept by chunks
        room = max(0, int((budget - measured.peak) / measured.graph))
        once = min(room // chunk_size * chunk_size, waiting) / waiting
    faster = measured.pace / max(first.pace, 1e-9)
    return score + faster * (sum(times.values()) + (1 - once) * encode)


def _with_graphs(
    measured: Rehearsal,
    passes: Passes,
    waiting: int,
    budget: int,
    measure: Callable[[Workload], Rehearsal],
) -> MemoryPlan:
    """The plan that keeps as many graphs as fit beside a chunk.

    Args:
        measured: The rehearsal with this chunk size, and without graphs.
        passes: The batch.
        waiting: Patches between their encoding and their backward pass.
        budget: Memory that may be used [bytes].
        measure: Rehearses a workload.
    """
    if not measured.graph or measured.work.chunk_size >= waiting:
        return MemoryPlan(measured, budget)
    room = int((budget - measured.peak) / measured.graph)
    graphs = min(waiting + _global_patches(passes), room)
    for _ in range(TRIES):
        if graphs < measured.work.chunk_size:
            break
        larger = _unless_refused(passes, measure, replace(measured.work, graphs=graphs))
        if larger is not None and larger.peak <= budget:
            once = min(graphs, waiting) / waiting
            encode = measured.times.get('encode', 0.0)
            spent = max(sum(measured.times.values()), 1e-9)
            return MemoryPlan(larger, budget, once, once * encode / spent)
        excess = 0 if larger is None else larger.peak - budget
        graphs -= max(math.ceil(excess / measured.graph), graphs // 8, 1)
    return MemoryPlan(measured, budget)


def _unless_refused(
    passes: Passes, measure: Callable[[Workload], Rehearsal], work: Workload
) -> Rehearsal | None:
    """The rehearsal of a workload; None where the device has not enough memory for it.

    Ranks that share patches wait for each other in a rehearsal, so that none can leave it.
    """
    try:
        return measure(work)
    except RuntimeError as error:
        if passes.group.size > 1 or not is_out_of_memory(error):
            raise
        return None


def _patches_with_gradient(
    passes: Passes, draws: Sequence[Tensor], gradient: GradientStrategy
) -> int:
    """Patches that carry gradient in the largest inner iteration, on a rank."""
    parts = draws if gradient.samples else [passes.batch.all_patches]
    return int(passes.group.most(max(len(passes.group.part(patches)) for patches in parts)))


def _global_patches(passes: Passes) -> int:
    """Global patches of the rank that has most of them."""
    return int(passes.group.most(passes.global_patches))


def _expected_growth(passes: Passes, measured: Rehearsal, larger: int, windows: int) -> int:
    """How much more a larger chunk will take than that which was just rehearsed [bytes].

    Graphs grow with the chunk. If the chunk holds all windows that carry gradient, patches and
    global patches, their graphs are kept, and so is that of theta2.
    """
    chunk_size = measured.work.chunk_size
    theta1 = measured.graph / WORKSPACE
    theta2 = passes.monitor.memory['theta2'] / chunk_size
    if passes.model.loss_scope == 'image':
        theta2 = 0  # it sees the whole image, whatever the chunk
    growth = (larger - chunk_size) * max(theta1, theta2)
    if larger == windows:
        growth += larger * min(theta1, theta2)
    return int(WORKSPACE * growth)
