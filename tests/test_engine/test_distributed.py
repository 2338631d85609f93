"""Two processes with one image each give the gradient of one process with both."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mmpatch.testing.tasks import TASKS, Task

from . import one_step
from .ranks import run_ranks


@pytest.fixture(scope='module')
def of_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the weights that two processes step to, of every task and gradient."""
    folder = tmp_path_factory.mktemp('two')
    run_ranks(Path(one_step.__file__), folder)
    return folder


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize('gradient', one_step.GRADIENTS)
def test_two_processes_step_like_one(of_two: Path, gradient: str, task: Task) -> None:
    one = one_step.stepped(task, gradient, [0, 1])
    two = torch.load(of_two / f'{task}_{gradient}.pth', weights_only=True)
    before = task.build().state_dict()
    assert any(not value.equal(before[name]) for name, value in one.items())
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-9, atol=1e-12, msg=name)
