"""Two processes with one image each give the gradient of one process with both."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmpatch.testing.tasks import TASKS, Task

WORKER = """
import os, sys, torch
from unittest import mock
import torch.distributed as dist
from mmdet.utils import register_all_modules
register_all_modules()
import mmpatch.engine, mmpatch.models
from mmengine.optim import OptimWrapper
from mmpatch.engine.gradients import ExactGradient, SampledGradient
from mmpatch.engine.stepper import Accumulation, Stepper
from mmpatch.testing.tasks import TASKS, passes_of

torch.set_num_threads(1)
world = int(os.environ.get('WORLD_SIZE', 1))
rank = int(os.environ.get('RANK', 0))
if world > 1:
    dist.init_process_group('gloo')
with mock.patch.object(torch.Tensor, 'float', lambda x: x if x.is_floating_point() else x.double()):
    task = next(task for task in TASKS if task.name == sys.argv[3])
    model = task.build()
    model.requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = OptimWrapper(optimizer, clip_grad=dict(max_norm=0.05))
    mine = [rank] if world > 1 else [0, 1]
    passes = passes_of(task, model, images=mine)
    passes.stepper = Stepper(wrapper, Accumulation(every=2))
    by_image = {0: [[0, 2, 5], [1, 3, 4]], 1: [[1], [0]]}
    starts = dict(zip(mine, passes.batch.starts))
    draws = [torch.tensor([p + starts[i] for i in mine for p in by_image[i][j]]) for j in (0, 1)]
    if sys.argv[2] == 'sampled':
        SampledGradient()(passes, draws)
    else:
        strategy = ExactGradient(2)
        strategy(passes), strategy(passes)
if rank == 0:
    torch.save(model.state_dict(), sys.argv[1])
"""


def train(out: Path, world: int, gradient: str, task: Task) -> dict[str, torch.Tensor]:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    processes = [
        subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-c', WORKER, str(out), gradient, task.name],
            env={
                **os.environ,
                'WORLD_SIZE': str(world),
                'RANK': str(rank),
                'MASTER_ADDR': '127.0.0.1',
                'MASTER_PORT': str(port),
                'PYTHONPATH': str(Path(__file__).parents[2]),
            },
        )
        for rank in range(world)
    ]
    assert [process.wait(timeout=300) for process in processes] == [0] * world
    return torch.load(out, weights_only=True)


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize('gradient', ['sampled', 'exact'])
def test_two_processes_step_like_one(tmp_path: Path, gradient: str, task: Task) -> None:
    one, two = (train(tmp_path / f'{n}.pth', n, gradient, task) for n in (1, 2))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-9, atol=1e-12, msg=name)
