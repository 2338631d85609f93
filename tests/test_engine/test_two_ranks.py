"""Whole trainings of two processes: interrupted between two steps, and with a NaN on one rank."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from .ranks import run_ranks


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder of the three trainings, and what each process printed."""
    folder = tmp_path_factory.mktemp('trained')
    return folder, run_ranks(Path(__file__).with_name('three_trainings.py'), folder)


def test_gradients_of_all_ranks_that_wait_for_a_step_survive(
    trained: tuple[Path, list[str]],
) -> None:
    folder, _ = trained
    start, whole, resumed = (
        torch.load(folder / name, weights_only=False)['state_dict']
        for name in ('whole/iter_1.pth', 'whole/iter_3.pth', 'resumed/iter_3.pth')
    )
    assert any(not value.equal(start[name]) for name, value in whole.items())
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=1e-6, atol=1e-8, msg=name)


def test_a_nan_on_another_rank_saves_the_last_good_weights(
    trained: tuple[Path, list[str]],
) -> None:
    folder, said = trained
    assert 'the loss of another process is not finite' in said[0]
    assert 'the loss is nan' in said[1]
    saved = torch.load(folder / 'poisoned' / 'last_good.pth', weights_only=False)
    assert saved['meta']['iter'] == 1
    assert all(v.isfinite().all() for v in saved['state_dict'].values() if v.is_floating_point())
