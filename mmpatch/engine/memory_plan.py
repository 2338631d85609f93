"""Choosing how many patches are in memory with their graphs, so that a memory budget is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from mmengine.dist import get_world_size
from torch import Tensor

from mmpatch.models.norms import without_statistics
from mmpatch.patching import Storage
from mmpatch.utils.memory import PeakMeter, format_size, is_out_of_memory, release_unused

from .gradients.encoding import RandomState
from .gradients.passes import Passes
from .gradients.strategy import GradientStrategy
from .gradients.workload import Workload
from .stepper import BUCKET_MIB

#: Numbers of graphs that are tried, each smaller than the one before, until one fits.
TRIES = 4
#: The search for a larger chunk ends where encoding a patch takes more than that share of its time before.
WORTH = 0.95
#: Memory of a forward and backward pass over the memory that autograd keeps for it.
WORKSPACE = 1.25
#: Share of what a rehearsal adds that real steps may take on top: allocators fragment.
MARGIN = 0.1


@dataclass(frozen=True)
class MemoryPlan:
    """How a training keeps its budget.

    Attributes:
        work: Patches in memory with their graphs.
        storage: Where Z lives.
        budget: Memory that may be used [bytes].
        peak: Expected peak [bytes].
        components: Bytes per component of the peak.
        graph: Memory of theta1's graph of a patch [bytes].
        times: Seconds by stage of the rehearsal.
        pace: Seconds that encoding a patch took.
        once: Share of the patches that are encoded once, not twice.
        saved: Share of the time that this saves.
    """

    work: Workload
    storage: Storage
    budget: int
    peak: int
    components: dict[str, int]
    graph: float
    times: dict[str, float]
    pace: float
    once: float = 0.0
    saved: float = 0.0

    def table(self) -> str:
        """The plan as a table for the terminal."""
        rows = {**self.components, 'expected peak': self.peak, 'budget': self.budget}
        width = max(map(len, rows))
        lines = [f'  {name:<{width}}  {format_size(size):>10}' for name, size in rows.items()]
        where = self.storage.device or 'where theta1 runs'
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
        if plan.peak <= budget:
            return plan
        smallest = plan if smallest is None or plan.peak < smallest.peak else smallest
    assert smallest is not None
    component, size = max(smallest.components.items(), key=lambda item: item[1])
    raise BudgetError(
        f'a memory budget of {format_size(budget)} cannot be met: with one patch at a time '
        f'training takes {format_size(smallest.peak)}, most of it {component} '
        f'({format_size(size)}). Allow at least that, or choose a smaller model.patch_size, a '
        f'smaller batch or a smaller model.\n{smallest.table()}'
    )


def apply_plan(plan: MemoryPlan, passes: Passes, gradient: GradientStrategy) -> None:
    """Let a strategy and a model work as planned.

    On a GPU the allocator refuses more than the budget from then on. Where a batch needs more than
    the rehearsal did, its step is repeated with fewer patches.
    """
    gradient.work = plan.work
    gradient.storage = plan.storage
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
    """The plan with the most patches that fit, or with one patch if none does."""
    rehearse = partial(_rehearse, passes, draws, gradient, storage, budget)
    rehearse(Workload(1))  # pays for what libraries allocate once
    plans = [rehearse(Workload(1))]
    all_patches = _patches_with_gradient(passes, draws, gradient)
    if all_patches <= 1:
        return plans[0]
    most = min(passes.model.chunk_size, all_patches)
    while (chunk_size := plans[-1].work.chunk_size) < most:
        larger = min(2 * chunk_size, most)
        expected = _expected_growth(passes, plans[-1], larger, all_patches)
        if plans[-1].peak + expected > budget:
            break
        plan = _unless_refused(passes, rehearse, Workload(larger))
        if plan is None or plan.peak > budget:
            break
        if larger == all_patches:  # its graph is kept in any case: it has the least work
            return plan
        if plan.pace > WORTH * plans[-1].pace:
            break
        plans.append(plan)
    waiting = [
        int(passes.group.most(gradient.waiting(passes, draws, plan.work.chunk_size)))
        for plan in plans
    ]
    times = [
        passes.group.most(_expected_time(plan, plans[0], number))
        for plan, number in zip(plans, waiting)
    ]
    best = times.index(min(times))
    return _with_graphs(plans[best], passes, waiting[best], rehearse)


def _expected_time(plan: MemoryPlan, first: MemoryPlan, waiting: int) -> float:
    """Time of a gradient if graphs take the memory that a plan leaves [s].

    Args:
        plan: The plan.
        first: The plan with one patch at a time, whose times are taken.
        waiting: Patches between their encoding and their backward pass.
    """
    times = dict(first.times)
    score, encode = times.pop('score', 0.0), times.pop('encode', 0.0)
    faster = plan.pace / max(first.pace, 1e-9)
    return score + faster * (sum(times.values()) + (1 - _once(plan, waiting)) * encode)


def _once(plan: MemoryPlan, waiting: int) -> float:
    """Share of the patches whose graphs the memory that a plan leaves has room for."""
    if not plan.graph:
        return 0.0
    room = max(0, int((plan.budget - plan.peak) / plan.graph))
    return min(room // plan.work.chunk_size * plan.work.chunk_size, waiting) / waiting


def _with_graphs(
    plan: MemoryPlan,
    passes: Passes,
    waiting: int,
    rehearse: Callable[[Workload], MemoryPlan],
) -> MemoryPlan:
    """The plan that keeps as many graphs as fit beside another plan.

    Args:
        plan: The other plan.
        passes: The batch.
        waiting: Patches between their encoding and their backward pass.
        rehearse: Gives the plan for a workload.
    """
    if not plan.graph:
        return plan
    images = passes.batch.num_images if passes.model.global_patch else 0
    graphs = min(waiting + images, int((plan.budget - plan.peak) / plan.graph))
    for _ in range(TRIES):
        if graphs < plan.work.chunk_size:
            break
        larger = _unless_refused(passes, rehearse, replace(plan.work, graphs=graphs))
        if larger is not None and larger.peak <= plan.budget:
            once = min(graphs, waiting) / waiting
            spent = max(sum(plan.times.values()), 1e-9)
            saved = once * plan.times.get('encode', 0.0) / spent
            return replace(larger, once=once, saved=saved)
        excess = 0 if larger is None else larger.peak - plan.budget
        graphs -= max(math.ceil(excess / plan.graph), graphs // 8, 1)
    return plan


def _unless_refused(
    passes: Passes, rehearse: Callable[[Workload], MemoryPlan], work: Workload
) -> MemoryPlan | None:
    """The plan for a workload; None where the device has not enough memory for it.

    Ranks that share patches wait for each other in a rehearsal, so that none can leave it.
    """
    try:
        return rehearse(work)
    except RuntimeError as error:
        if passes.group.size > 1 or not is_out_of_memory(error):
            raise
        return None


def _rehearse(
    passes: Passes,
    draws: Sequence[Tensor],
    gradient: GradientStrategy,
    storage: Storage,
    budget: int,
    work: Workload,
) -> MemoryPlan:
    """Measure the gradient with some patches in memory, and add what a rehearsal does not show."""
    parameters = passes.stepper.parameters
    device = parameters[0].device
    configured, gradient.storage = gradient.storage, storage
    fill_size = passes.model.chunk_size
    passes.model.chunk_size = min(fill_size, work.chunk_size)
    passes.monitor.memory.clear()
    passes.monitor.take_times()
    passes.monitor.encoded = 0
    try:
        with _nothing_lasting(passes), PeakMeter(device) as meter:
            gradient.rehearse(passes, draws, work)
    finally:
        gradient.storage, passes.model.chunk_size = configured, fill_size
    for part in ('theta1', 'theta2'):
        passes.monitor.memory[part] = int(passes.group.most(passes.monitor.memory.get(part, 0)))
    later = _later_memory(passes)
    own = {
        'process, model, images' if device.type == 'cpu' else 'model': meter.start,
        'gradient of a batch': meter.growth,
        **later,
        'margin': int(MARGIN * meter.growth),
    }
    of_all = passes.group.all_of(own)
    components = {name: max(known[name] for known in of_all) for name in own}
    graph = _graph_size(passes, work.chunk_size)
    times = passes.monitor.take_times()
    pace = passes.group.most(times.get('encode', 0.0) / max(passes.monitor.encoded, 1))
    return MemoryPlan(
        work, storage, budget, sum(components.values()), components, graph, times, pace
    )


def _later_memory(passes: Passes) -> dict[str, int]:
    """Memory of a training that its first gradient does not take yet [bytes]."""
    trained = [p for p in passes.stepper.parameters if p.requires_grad]
    gradients = sum(p.nbytes for p in trained)
    known = {'optimizer': _optimizer_memory(passes, trained)}
    if passes.stepper.accumulation.every > 1:
        known['gradients that wait for a step'] = gradients
    if get_world_size() > 1:  # the reduction makes two flat copies of a bucket
        bucket = max(BUCKET_MIB * 2**20, *(p.nbytes for p in trained))
        known['gradients between processes'] = 2 * min(bucket, gradients)
    if passes.stepper.parameters[0].device.type == 'cpu':
        known['next batch'] = sum(image.nbytes for image in passes.batch.images)
    return known


def _optimizer_memory(passes: Passes, trained: Sequence[Tensor]) -> int:
    """Memory of the optimizer's state that does not exist yet [bytes]."""
    optimizer = passes.stepper.wrapper.optimizer
    if optimizer.state:
        return 0
    size = sum(p.nbytes for p in trained)
    probe = torch.nn.Parameter(torch.zeros(64))
    probe.grad = torch.zeros(64)
    defaults = {k: v for k, v in optimizer.defaults.items() if k != 'differentiable'}
    try:
        trial = type(optimizer)([probe], **defaults)
        trial.step()
    except Exception:  # an optimizer with arguments of its own: two tensors per parameter, as Adam
        return 2 * size
    tensors = [v for v in trial.state[probe].values() if isinstance(v, Tensor)]
    return size * sum(v.shape == probe.shape for v in tensors)


def _patches_with_gradient(
    passes: Passes, draws: Sequence[Tensor], gradient: GradientStrategy
) -> int:
    """Patches that carry gradient in the largest inner iteration, on a rank."""
    parts = draws if gradient.samples else [passes.batch.all_patches]
    return int(passes.group.most(max(len(passes.group.part(patches)) for patches in parts)))


def _expected_growth(passes: Passes, plan: MemoryPlan, larger: int, all_patches: int) -> int:
    """How much more a larger chunk will take than that of a plan, which was just rehearsed [bytes].

    Graphs grow with the chunk. If the chunk holds all patches that carry gradient, their graphs
    are kept, and so are the graphs of the global patches and of theta2.
    """
    chunk_size = plan.work.chunk_size
    theta1 = plan.graph / WORKSPACE
    theta2 = passes.monitor.memory['theta2'] / chunk_size
    if passes.model.loss_scope == 'image':
        theta2 = 0  # it sees the whole image, whatever the chunk
    growth = (larger - chunk_size) * max(theta1, theta2)
    if larger == all_patches:
        images = passes.batch.num_images if passes.model.global_patch else 0
        growth += images * theta1 + larger * min(theta1, theta2)
    return int(WORKSPACE * growth)


def _graph_size(passes: Passes, chunk_size: int) -> float:
    """Memory of theta1's graph of a patch, by the chunk just rehearsed [bytes]."""
    return WORKSPACE * passes.monitor.memory['theta1'] / chunk_size


@contextmanager
def _nothing_lasting(passes: Passes) -> Iterator[None]:
    """Leave gradients, running statistics and random states as they are."""
    state = RandomState.capture()
    parameters = passes.stepper.parameters
    kept = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    try:
        with without_statistics(passes.model):
            yield
    finally:
        for parameter, grad in zip(parameters, kept):
            parameter.grad = grad
        state.restore()
        release_unused(parameters[0].device)
