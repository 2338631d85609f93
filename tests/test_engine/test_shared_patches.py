"""Processes that share the patches of one batch make the step that one process makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mmpatch.testing.tasks import Task

from . import one_step
from .ranks import run_ranks

#: The batch has four rows of patches, and draws have one to four patches: some of five have nothing to do.
WORLDS = (2, 3, 5)


@pytest.fixture(scope='module')
def of_one() -> dict[str, dict[str, Tensor]]:
    """The weights that one process steps to, by case; filled as they are needed."""
    return {}


@pytest.fixture(scope='module')
def shared(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The folders with the weights that some processes step to, of every case."""
    folders = {world: tmp_path_factory.mktemp(f'shared{world}') for world in WORLDS}
    for world, folder in folders.items():
        run_ranks(Path(one_step.__file__), folder, 'shared', world=world)
    return folders


@pytest.mark.slow
@pytest.mark.parametrize(
    ('world', 'name', 'task', 'settings', 'gradient'),
    [
        pytest.param(world, *case, id=f'{world}-{case[0]}')
        for world in WORLDS
        for case in one_step.shared_cases(world)
    ],
)
def test_they_step_like_one(
    of_one: dict[str, dict[str, Tensor]],
    shared: dict[int, Path],
    world: int,
    name: str,
    task: Task,
    settings: dict[str, Any],
    gradient: str,
) -> None:
    if name not in of_one:
        of_one[name] = one_step.stepped(task, gradient, [0, 1], **settings)
    found = torch.load(shared[world] / f'{name}.pth', weights_only=True)
    before = task.build(**settings).state_dict()
    assert any(not value.equal(before[key]) for key, value in of_one[name].items())
    for key, value in of_one[name].items():
        torch.testing.assert_close(found[key], value, rtol=1e-9, atol=1e-12, msg=key)
