from __future__ import annotations

import subprocess
import sys
from collections import Counter
from itertools import chain

import pytest
import torch

from mmpatch.patching import PatchSampler, PatchSchedule


def draw(
    seed: int = 0, sizes: tuple[int, ...] = (20,), rate: float = 0.3, inner: int | None = 7, **where
) -> list[list[int]]:
    place = dict(epoch=0, iteration=0, rank=0) | where
    images = [torch.zeros(size, 2, dtype=torch.long) for size in sizes]
    draws = PatchSampler(seed).draw(images, PatchSchedule(rate, inner), **place)
    return [part.tolist() for part in draws]


def test_without_replacement_until_all_patches_are_used_up() -> None:
    parts = draw()
    assert [len(part) for part in parts] == [6, 6, 6, 2, 6, 6, 6]
    assert sorted(chain(*parts[:4])) == list(range(20))
    assert len(set(chain(*parts[4:]))) == 18


@pytest.mark.parametrize('rate', [0.25, 0.3, 0.1, 0.9, 1.0])
@pytest.mark.parametrize('sizes', [(10,), (10, 2), (1, 30, 4), (40,)])
def test_once_through_the_grid_draws_every_patch_once(sizes: tuple[int, ...], rate: float) -> None:
    """Also where the rate does not divide the number of patches, and for small images."""
    parts = draw(sizes=sizes, rate=rate, inner=None)
    assert len(parts) == PatchSchedule(rate).rounds
    lengths = [len(part) for part in parts]
    if sum(sizes) >= len(parts):
        assert sorted(chain(*parts)) == list(range(sum(sizes)))
        assert max(lengths) - min(lengths) <= 1
    assert min(lengths) > 0


def test_fewer_patches_than_inner_iterations() -> None:
    parts = draw(sizes=(3,), rate=0.1, inner=None)
    assert [len(part) for part in parts] == [1] * 10
    assert set(Counter(chain(*parts)).values()) == {3, 4}


def test_images_take_part_in_proportion_to_their_size() -> None:
    for part in draw(sizes=(30, 10), rate=0.1, inner=10):
        assert 2 <= sum(patch < 30 for patch in part) <= 4


def test_draws_depend_on_seed_epoch_iteration_and_rank_alone() -> None:
    reference = draw()
    torch.manual_seed(123)
    torch.rand(10)
    assert draw() == reference
    others = [draw(1), draw(epoch=1), draw(iteration=1), draw(rank=1)]
    assert reference not in others
    assert all(a != b for i, a in enumerate(others) for b in others[:i])


def test_draws_are_the_same_in_another_process() -> None:
    code = (
        'import torch; from mmpatch.patching import PatchSampler, PatchSchedule;'
        'draws = PatchSampler(0).draw([torch.zeros(20, 2)], PatchSchedule(0.3, 7), epoch=0, iteration=0);'
        'print([p.tolist() for p in draws])'
    )
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str(draw())


def test_every_patch_is_drawn_equally_often() -> None:
    counts = torch.zeros(12)
    for iteration in range(2000):
        counts[draw(3, (10, 2), rate=0.25, inner=1, iteration=iteration)[0]] += 1
    assert (counts / 2000 - 0.25).abs().max() < 0.05


def test_no_patches() -> None:
    with pytest.raises(ValueError, match=r'drawing needs at least one patch, got images of \[0\]'):
        draw(sizes=(0,))


def places(rows: int, cols: int) -> torch.Tensor:
    return torch.cartesian_prod(torch.arange(rows), torch.arange(cols))


def test_blocks_of_neighbours() -> None:
    """Each is a square, or what the border leaves of one; over many draws lines lie everywhere."""
    images, schedule = [places(6, 5)], PatchSchedule(0.25, 12, sampled_patches=4, block=2)
    seen = set()
    for iteration in range(40):
        draws = PatchSampler(0).draw(images, schedule, epoch=0, iteration=iteration)
        assert len(draws) == 12 and max(map(len, draws)) <= 4
        for portion in draws:
            if len(portion) == 4:
                corner = images[0][portion].amin(dim=0)
                if ((images[0][portion] - corner) < 2).all():
                    seen.add(tuple(corner.tolist()))
    assert len(seen) == 5 * 4


def test_blocks_are_a_partition_too() -> None:
    images, schedule = [places(6, 6), places(3, 2)], PatchSchedule(0.25, 9, None, block=2)
    draws = PatchSampler(0).draw(images, schedule, epoch=0, iteration=0)
    counts = Counter(chain(*(portion.tolist() for portion in draws)))
    assert max(counts.values()) - min(counts.values()) <= 3


def test_a_block_larger_than_a_portion_is_cut() -> None:
    schedule = PatchSchedule(inner_iterations=6, sampled_patches=1, block=2)
    draws = PatchSampler(0).draw([places(2, 3)], schedule, epoch=0, iteration=0)
    assert sorted(chain(*(portion.tolist() for portion in draws))) == list(range(6))


def test_the_global_patch_comes_before_the_draws() -> None:
    schedules = [PatchSchedule(0.5, 3, global_iteration=g) for g in (False, True)]
    images = [torch.zeros(10, 2, dtype=torch.long)]
    without, found = (PatchSampler(0).draw(images, s, epoch=0, iteration=0) for s in schedules)
    assert [s.rounds for s in schedules] == [3, 4]
    assert found[0].tolist() == [] and found[0].dtype == torch.int64
    assert all(torch.equal(a, b) for a, b in zip(found[1:], without, strict=True))
