"""Measuring a gradient with some patches in memory, before a training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from mmengine.dist import get_world_size
from torch import Tensor

from mmpatch.models.norms import without_statistics
from mmpatch.patching import Storage
from mmpatch.utils.memory import PeakMeter, release_unused

from .gradients.encoding import RandomState
from .gradients.passes import Passes
from .gradients.strategy import GradientStrategy
from .gradients.workload import Workload
from .stepper import BUCKET_MIB

#: Memory of a forward and backward pass over the memory that autograd keeps for it.
WORKSPACE = 1.25
#: Share of what a rehearsal adds that real steps may take on top: allocators fragment.
MARGIN = 0.1


@dataclass(frozen=True)
class Rehearsal:
    """What the gradient of a batch takes.

    Attributes:
        work: Patches in memory with their graphs.
        storage: Where Z lives.
        components: Bytes per component of the peak; the highest of ranks that share patches.
        graph: Memory of theta1's graph of a patch [bytes].
        times: Seconds by stage.
        pace: Seconds that encoding a patch took.
    """

    work: Workload
    storage: Storage
    components: dict[str, int]
    graph: float
    times: dict[str, float]
    pace: float

    @property
    def peak(self) -> int:
        """Expected peak of a training [bytes]."""
        return sum(self.components.values())


def rehearse(
    passes: Passes,
    draws: Sequence[Tensor],
    gradient: GradientStrategy,
    storage: Storage,
    work: Workload,
) -> Rehearsal:
    """Measure the gradient of a batch, and add what a rehearsal does not show.

    Gradients, statistics and random states are afterwards what they were before.

    Args:
        passes: The batch.
        draws: Its draws.
        gradient: How its gradient is computed.
        storage: Where Z lives meanwhile.
        work: Patches in memory with their graphs.
    """
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
    return Rehearsal(work, storage, components, graph, times, pace)


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
