"""A step on a batch of two images, in one process or with one image in each of two.

As a script, it is one of the two processes: it makes the step of every task and gradient.
"""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

import torch
import torch.distributed as dist
from mmdet.utils import register_all_modules
from mmengine.optim import OptimWrapper
from torch import Tensor

import mmpatch.models  # noqa: F401
from mmpatch.engine.gradients import ExactGradient, SampledGradient
from mmpatch.engine.stepper import Accumulation, Stepper
from mmpatch.testing.tasks import TASKS, Task, passes_of

GRADIENTS = ('sampled', 'exact')
#: Patches of the two inner iterations of each image.
DRAWS = {0: [[0, 2, 5], [1, 3, 4]], 1: [[1], [0]]}


def stepped(task: Task, gradient: str, images: list[int]) -> dict[str, Tensor]:
    """The weights after one step, in float64.

    Args:
        task: The task.
        gradient: One of :data:`GRADIENTS`.
        images: Numbers of the images that this process has.
    """
    # host libraries compute losses in float32, also of float64
    with mock.patch.object(Tensor, 'float', lambda x: x if x.is_floating_point() else x.double()):
        model = task.build()
        model.requires_grad_(True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        passes = passes_of(task, model, images=images)
        wrapper = OptimWrapper(optimizer, clip_grad=dict(max_norm=0.05))
        passes.stepper = Stepper(wrapper, Accumulation(every=2))
        starts = dict(zip(images, passes.batch.starts))
        draws = [
            torch.tensor(
                [patch + starts[image] for image in images for patch in DRAWS[image][step]]
            )
            for step in (0, 1)
        ]
        if gradient == 'sampled':
            SampledGradient()(passes, draws)
        else:
            exact = ExactGradient(2)
            exact(passes), exact(passes)
    return model.state_dict()


def main() -> None:
    """Step in two processes; the first one saves the weights."""
    register_all_modules()
    torch.set_num_threads(1)
    dist.init_process_group('gloo')
    for task in TASKS:
        for gradient in GRADIENTS:
            weights = stepped(task, gradient, [dist.get_rank()])
            if dist.get_rank() == 0:
                torch.save(weights, Path(sys.argv[1]) / f'{task}_{gradient}.pth')
    dist.destroy_process_group()


if __name__ == '__main__':
    main()
