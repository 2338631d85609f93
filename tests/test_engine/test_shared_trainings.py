"""Whole trainings whose ranks share patches: they end like those of fewer ranks, resumed or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from .ranks import run_ranks

SCRIPT = Path(__file__).with_name('three_trainings.py')


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trainings of one rank; of two that share, also resumed from those of one; the other way round.

    And of two ranks with batches of their own, and of two groups of two.
    """
    folder = tmp_path_factory.mktemp('trained')
    for name, world, parallel, start in (
        ('one', 1, 'patches', None),
        ('two', 2, 'patches', 'one'),
        ('one-again', 1, 'patches', 'two'),
        ('batches', 2, 'batches', None),
        ('groups', 4, dict(data=2, patch=2), 'batches'),
    ):
        starts = [] if start is None else [folder / start]
        run_ranks(SCRIPT, folder / name, json.dumps(parallel), *starts, world=world)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize('gradient', ['sampled', 'exact'])
@pytest.mark.parametrize(
    ('name', 'reference'),
    [
        ('two/{}', 'one/{}'),
        ('two/{}-resumed', 'one/{}'),
        ('one-again/{}-resumed', 'one/{}'),
        ('groups/{}', 'batches/{}'),
        ('groups/{}-resumed', 'batches/{}'),
    ],
)
def test_they_end_alike(trained: Path, name: str, reference: str, gradient: str) -> None:
    """Weights and their moving averages, after gradients that waited for a step.

    mmengine itself does not resume the averages to the last digit.
    """
    found, expected = (
        torch.load(trained / which.format(gradient) / 'iter_3.pth', weights_only=False)
        for which in (name, reference)
    )
    start = torch.load(trained / reference.format(gradient) / 'iter_1.pth', weights_only=False)
    for part in ('state_dict',) if 'resumed' in name else ('state_dict', 'ema_state_dict'):
        values = expected[part]
        assert any(not value.equal(start[part][key]) for key, value in values.items())
        for key, value in values.items():
            torch.testing.assert_close(found[part][key], value, rtol=1e-4, atol=1e-6, msg=key)
