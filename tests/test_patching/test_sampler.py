from __future__ import annotations

import subprocess
import sys
from itertools import chain

import pytest
import torch

from mmpatch.patching import PatchSampler


def draw(seed: int = 0, **where: int) -> list[list[int]]:
    place = dict(epoch=0, iteration=0, stream=0) | where
    return [part.tolist() for part in PatchSampler(seed).draw(20, 6, 7, **place)]


def test_without_replacement_until_the_grid_is_used_up() -> None:
    parts = draw()
    assert [len(part) for part in parts] == [6, 6, 6, 2, 6, 6, 6]
    assert sorted(chain(*parts[:4])) == list(range(20))
    assert len(set(chain(*parts[4:]))) == 18


def test_draws_depend_on_seed_epoch_iteration_and_stream_alone() -> None:
    reference = draw()
    torch.manual_seed(123)
    torch.rand(10)
    assert draw() == reference
    others = [draw(1), draw(epoch=1), draw(iteration=1), draw(stream=1)]
    assert reference not in others
    assert all(a != b for i, a in enumerate(others) for b in others[:i])


def test_draws_are_the_same_in_another_process() -> None:
    code = (
        'from mmpatch.patching import PatchSampler;'
        'print([p.tolist() for p in PatchSampler(0).draw(20, 6, 7, epoch=0, iteration=0, stream=0)])'
    )
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str(draw())


def test_every_patch_is_drawn_equally_often() -> None:
    counts = torch.zeros(10)
    for iteration in range(2000):
        part = PatchSampler(3).draw(10, 3, 1, epoch=0, iteration=iteration, stream=0)[0]
        counts[part] += 1
    assert (counts / 2000 - 0.3).abs().max() < 0.05


def test_bad_numbers() -> None:
    with pytest.raises(ValueError, match='num_patches, count and rounds >= 1, got 0, 1, 1'):
        PatchSampler(0).draw(0, 1, 1, epoch=0, iteration=0, stream=0)
