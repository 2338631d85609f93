"""Processes that share the patches of one batch make the step that one process makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mmpatch.testing.tasks import Task

from . import one_step
from .ranks import run_ranks


@pytest.fixture(scope='module', params=[2, 3, 5])
def shared(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the weights that some processes step to, of every case.

    The batch has four rows of patches, and draws have one to four patches. Among five processes some
    have nothing to do.
    """
    folder = tmp_path_factory.mktemp('shared')
    run_ranks(Path(one_step.__file__), folder, 'shared', world=request.param)
    return folder


@pytest.mark.parametrize(
    ('name', 'task', 'settings', 'gradient'),
    [pytest.param(*case, id=case[0]) for case in one_step.shared_cases()],
)
def test_they_step_like_one(
    shared: Path, name: str, task: Task, settings: dict[str, Any], gradient: str
) -> None:
    one = one_step.stepped(task, gradient, [0, 1], **settings)
    found = torch.load(shared / f'{name}.pth', weights_only=True)
    before = task.build(**settings).state_dict()
    assert any(not value.equal(before[name]) for name, value in one.items())
    for key, value in one.items():
        torch.testing.assert_close(found[key], value, rtol=1e-9, atol=1e-12, msg=key)
