from __future__ import annotations

import pytest
import torch

from mmpatch.patching import PatchBatch
from mmpatch.patching.visits import Reach, Stage, in_flight, visits


def batch_of(*sizes: tuple[int, int]) -> PatchBatch:
    return PatchBatch([torch.zeros(1, height * 4, width * 4) for height, width in sizes], 4)


@pytest.mark.parametrize('chunk', [1, 2, 3, 100])
@pytest.mark.parametrize('sizes', [[(5, 4)], [(1, 1)], [(1, 6), (6, 1), (3, 3)]])
def test_every_stage_waits_for_the_neighbours(sizes: list[tuple[int, int]], chunk: int) -> None:
    batch = batch_of(*sizes)
    order = {stage: [] for stage in (Stage.ENCODE, Stage.SCORE, Stage.REPLAY)}
    for stage, part in visits(batch, chunk, Reach.NEIGHBOURS):
        for patch in part.tolist():
            around = [p for p in batch.neighbours[patch].tolist() if p >= 0]
            if stage is Stage.SCORE:
                assert set(around) <= set(order[Stage.ENCODE])
            if stage is Stage.REPLAY:
                assert set(around) <= set(order[Stage.SCORE])
        order[stage] += part.tolist()
    assert all(patches == list(range(batch.num_patches)) for patches in order.values())


def test_about_two_rows_are_in_flight() -> None:
    assert in_flight(visits(batch_of((16, 16)), 1, Reach.NEIGHBOURS)) == 2 * 16 + 3
    assert in_flight(visits(batch_of((64, 4)), 1, Reach.NEIGHBOURS)) == 2 * 4 + 3
    assert in_flight(visits(batch_of((16, 16)), 3, Reach.EVERYTHING)) == 256


def test_totals_are_measured_before_anything_is_scored() -> None:
    order = visits(batch_of((2, 2)), 3, Reach.TOTALS)
    assert [(stage.value, part.tolist()) for stage, part in order] == [
        ('encode', [0, 1, 2]),
        ('encode', [3]),
        ('measure', [0, 1, 2]),
        ('measure', [3]),
        ('score', [0, 1, 2]),
        ('score', [3]),
        ('replay', [0, 1, 2]),
        ('replay', [3]),
    ]
    assert in_flight(order) == 4
    order = visits(batch_of((2, 2)), 3, Reach.OWN_TOTALS)
    assert [(stage.value, part.tolist()) for stage, part in order] == [
        ('encode', [0, 1, 2]),
        ('measure', [0, 1, 2]),
        ('encode', [3]),
        ('measure', [3]),
        ('encode again', [0, 1, 2]),
        ('score', [0, 1, 2]),
        ('replay', [0, 1, 2]),
        ('encode again', [3]),
        ('score', [3]),
        ('replay', [3]),
    ]
    assert in_flight(order) == 3
    order = visits(batch_of((2, 2)), 3, Reach.EVERYTHING)
    assert [part.tolist() for stage, part in order if stage is Stage.SCORE] == [[0, 1, 2, 3]]


def test_a_ring_of_that_many_slots_is_enough() -> None:
    """No patch takes the slot of one that is still needed."""
    for sizes in ([(7, 5)], [(2, 9), (5, 3)]):
        batch = batch_of(*sizes)
        order = visits(batch, 2, Reach.NEIGHBOURS)
        room, slots = in_flight(order), {}
        for stage, part in order:
            for patch in part.tolist():
                if stage is Stage.ENCODE:
                    assert slots.get(patch % room) is None
                    slots[patch % room] = patch
                else:
                    needed = [p for p in batch.neighbours[patch].tolist() if p >= 0]
                    if stage is Stage.SCORE:
                        assert all(slots[p % room] == p for p in needed)
                    if stage is Stage.REPLAY:
                        assert slots[patch % room] == patch
                        slots[patch % room] = None
