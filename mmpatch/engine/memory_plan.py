"""Choosing how many patches go through theta1 at once, so that a memory budget is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from mmengine.dist import get_world_size
from torch import Tensor

from mmpatch.models.norms import without_statistics
from mmpatch.patching import Storage
from mmpatch.utils.memory import PeakMeter, format_size, release_unused

from .gradients.encoding import RandomState
from .gradients.passes import Passes
from .gradients.retry import is_out_of_memory
from .gradients.strategy import GradientStrategy

#: No larger chunk is tried; more patches at once do not make a step faster.
MOST = 64
#: Memory of a forward and backward pass over the memory that autograd keeps for it.
WORKSPACE = 1.25
#: Share of what a rehearsal adds that real steps may take on top: allocators fragment.
MARGIN = 0.1


@dataclass(frozen=True)
class MemoryPlan:
    """How a training keeps its budget.

    Attributes:
        chunk_size: Patches with gradient at once.
        storage: Where Z lives.
        budget: Memory that may be used [bytes].
        peak: Expected peak [bytes].
        components: Bytes per component of the peak.
    """

    chunk_size: int
    storage: Storage
    budget: int
    peak: int
    components: dict[str, int]

    def table(self) -> str:
        """The plan as a table for the terminal."""
        rows = {**self.components, 'expected peak': self.peak, 'budget': self.budget}
        width = max(map(len, rows))
        lines = [f'  {name:<{width}}  {format_size(size):>10}' for name, size in rows.items()]
        where = self.storage.device or 'where theta1 runs'
        lines.append(f'  {self.chunk_size} patch(es) with gradient at a time, Z {where}')
        return '\n'.join(lines)


class BudgetError(ValueError):
    """A memory budget that cannot be met."""


def plan_memory(
    passes: Passes, draws: Sequence[Tensor], gradient: GradientStrategy, budget: int
) -> MemoryPlan:
    """Find a chunk size with which training on a batch stays within a budget.

    The gradient of the batch is rehearsed with one patch at a time, then with two, four and so on,
    as long as the next one is expected to fit. Gradients, statistics and random states are
    afterwards what they were before.

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
    the rehearsal did, its step is repeated with a smaller chunk.
    """
    gradient.chunk_size = plan.chunk_size
    gradient.storage = plan.storage
    passes.model.chunk_size = min(passes.model.chunk_size, plan.chunk_size)
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
    """The plan with the largest chunk that fits, or with one patch if none does."""
    most = min(MOST, _patches_with_gradient(passes, draws, gradient))
    # the first rehearsal also pays for what libraries allocate once
    plan = _rehearse(passes, draws, gradient, storage, budget, 1)
    plan = _rehearse(passes, draws, gradient, storage, budget, 1)
    while plan.chunk_size < most:
        chunk_size = min(2 * plan.chunk_size, most)
        expected = _expected_growth(passes, plan.chunk_size, chunk_size, most)
        if plan.peak + expected > budget:
            break
        try:
            larger = _rehearse(passes, draws, gradient, storage, budget, chunk_size)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            break
        if larger.peak > budget:
            break
        plan = larger
    return plan


def _rehearse(
    passes: Passes,
    draws: Sequence[Tensor],
    gradient: GradientStrategy,
    storage: Storage,
    budget: int,
    chunk_size: int,
) -> MemoryPlan:
    """Measure the gradient with some chunk size, and add what a rehearsal does not show."""
    parameters = passes.stepper.parameters
    device = parameters[0].device
    configured, gradient.storage = gradient.storage, storage
    fill_size = passes.model.chunk_size
    passes.model.chunk_size = min(fill_size, chunk_size)
    passes.monitor.memory.clear()
    try:
        with _nothing_lasting(passes), PeakMeter(device) as meter:
            gradient.rehearse(passes, draws, chunk_size)
    finally:
        gradient.storage, passes.model.chunk_size = configured, fill_size
    later = _later_memory(passes)
    components = {
        'process, model, images' if device.type == 'cpu' else 'model': meter.start,
        'gradient of a batch': meter.growth,
        **later,
        'margin': int(MARGIN * meter.growth),
    }
    return MemoryPlan(chunk_size, storage, budget, sum(components.values()), components)


def _later_memory(passes: Passes) -> dict[str, int]:
    """Memory of a training that its first gradient does not take yet [bytes]."""
    trained = [p for p in passes.stepper.parameters if p.requires_grad]
    gradients = sum(p.nbytes for p in trained)
    known = {'optimizer': _optimizer_memory(passes, trained)}
    if passes.stepper.accumulation.every > 1:
        known['gradients that wait for a step'] = gradients
    if get_world_size() > 1:  # the reduction makes two flat copies
        known['gradients between processes'] = 2 * gradients
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
    """Patches that carry gradient in the largest inner iteration."""
    return max(map(len, draws)) if gradient.samples else passes.batch.num_patches


def _expected_growth(passes: Passes, chunk_size: int, larger: int, all_patches: int) -> int:
    """How much more a larger chunk will take than the one just rehearsed [bytes].

    Graphs grow with the chunk. If the chunk holds all patches that carry gradient, their graphs
    are kept, and so are the graphs of the global patches and of theta2.
    """
    memory = passes.monitor.memory
    theta1 = memory['theta1'] / chunk_size
    theta2 = memory['theta2'] / chunk_size
    if passes.model.loss_scope == 'image':
        theta2 = 0  # it sees the whole image, whatever the chunk
    growth = (larger - chunk_size) * max(theta1, theta2)
    if larger == all_patches:
        images = passes.batch.num_images if passes.model.global_patch else 0
        growth += images * theta1 + larger * min(theta1, theta2)
    return int(WORKSPACE * growth)


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
