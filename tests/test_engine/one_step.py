"""A step on a batch of two images, in one process or in several.

As a script, it is one of several processes, which have one image each or share the patches of both. It
makes the step of every task and gradient.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from mmdet.utils import register_all_modules
from mmengine.optim import OptimWrapper
from torch import Tensor

import mmpatch.models  # noqa: F401
from mmpatch.engine.gradients import ExactGradient, SampledGradient
from mmpatch.engine.mesh import Mesh, PatchGroup
from mmpatch.engine.stepper import Accumulation, Stepper
from mmpatch.testing.tasks import TASKS, Task, passes_of

GRADIENTS = ('sampled', 'exact')
#: Gradient strategies by name.
STRATEGIES: dict[str, Callable[[], Any]] = {
    'sampled': SampledGradient,
    'sampled-chunks': lambda: SampledGradient(chunk_size=1, graphs=1),
    'exact': lambda: ExactGradient(2),
    'exact-graphs': lambda: ExactGradient(1, graphs=3),
}
#: Patches of the two inner iterations of each image.
DRAWS = {0: [[0, 2, 5], [1, 3, 4]], 1: [[1], [0]]}


def stepped(
    task: Task,
    gradient: str,
    images: list[int],
    group: PatchGroup | None = None,
    **settings: Any,
) -> dict[str, Tensor]:
    """The weights after one step, in float64.

    Args:
        task: The task.
        gradient: One of :data:`STRATEGIES`.
        images: Numbers of the images that this process has.
        group: The ranks that share their patches.
        **settings: Of the model.
    """
    # host libraries compute losses in float32, also of float64
    with mock.patch.object(Tensor, 'float', lambda x: x if x.is_floating_point() else x.double()):
        model = task.build(**settings)
        model.requires_grad_(True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        passes = passes_of(task, model, images=images)
        wrapper = OptimWrapper(optimizer, clip_grad=dict(max_norm=0.05))
        passes.group = group or PatchGroup()
        passes.stepper = Stepper(wrapper, Accumulation(every=2), passes.group.size)
        starts = dict(zip(images, passes.batch.starts))
        draws = [
            torch.tensor(
                [patch + starts[image] for image in images for patch in DRAWS[image][step]]
            )
            for step in (0, 1)
        ]
        strategy = STRATEGIES[gradient]()
        for _ in range(1 if strategy.samples else 2):  # a step has two inner iterations
            strategy(passes, draws)
    return model.state_dict()


def shared_cases(world: int) -> Iterator[tuple[str, Task, dict[str, Any], str]]:
    """Steps that some processes share: name, task, settings of the model, and strategy.

    All variants for three processes, those with and without a global patch for other numbers.
    """
    for task in TASKS:
        for number, settings in enumerate(task.variants if world == 3 else task.variants[:2]):
            for gradient in STRATEGIES if number < 2 else GRADIENTS:
                yield f'{task}-{number}-{gradient}', task, settings, gradient


def main(folder: str, shared: str = '') -> None:
    """Step in several processes; the first one saves the weights.

    Args:
        folder: Where to.
        shared: Not empty: the processes share the patches of both images.
    """
    register_all_modules()
    torch.set_num_threads(1)
    dist.init_process_group('gloo')
    if shared:
        group = Mesh.build('patches').group
        found = {
            name: stepped(task, gradient, [0, 1], group, **settings)
            for name, task, settings, gradient in shared_cases(dist.get_world_size())
        }
    else:
        found = {
            f'{task}_{gradient}': stepped(task, gradient, [dist.get_rank()])
            for task in TASKS
            for gradient in GRADIENTS
        }
    if dist.get_rank() == 0:
        for name, weights in found.items():
            torch.save(weights, Path(folder) / f'{name}.pth')
    dist.destroy_process_group()


if __name__ == '__main__':
    main(*sys.argv[1:])
