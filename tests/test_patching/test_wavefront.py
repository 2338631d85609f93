from __future__ import annotations

import pytest
import torch

from mmpatch.patching import PatchBatch
from mmpatch.patching.wavefront import Stage, everything, in_flight, wavefront


def batch_of(*sizes: tuple[int, int]) -> PatchBatch:
    return PatchBatch([torch.zeros(1, height * 4, width * 4) for height, width in sizes], 4)


@pytest.mark.parametrize('chunk', [1, 2, 3, 100])
@pytest.mark.parametrize('sizes', [[(5, 4)], [(1, 1)], [(1, 6), (6, 1), (3, 3)]])
def test_every_stage_waits_for_the_neighbours(sizes: list[tuple[int, int]], chunk: int) -> None:
    batch = batch_of(*sizes)
    order = {stage: [] for stage in Stage}
    for stage, part in wavefront(batch, chunk):
        for patch in part.tolist():
            around = [p for p in batch.neighbours[patch].tolist() if p >= 0]
            if stage is Stage.SCORE:
                assert set(around) <= set(order[Stage.ENCODE])
            if stage is Stage.REPLAY:
                assert set(around) <= set(order[Stage.SCORE])
        order[stage] += part.tolist()
    assert all(patches == list(range(batch.num_patches)) for patches in order.values())


def test_about_two_rows_are_in_flight() -> None:
    assert in_flight(wavefront(batch_of((16, 16)), 1)) == 2 * 16 + 3
    assert in_flight(wavefront(batch_of((64, 4)), 1)) == 2 * 4 + 3
    assert in_flight(everything(batch_of((16, 16)), 3)) == 256


def test_a_ring_of_that_many_slots_is_enough() -> None:
    """No patch takes the slot of one that is still needed."""
    for sizes in ([(7, 5)], [(2, 9), (5, 3)]):
        batch = batch_of(*sizes)
        visits = wavefront(batch, 2)
        room, slots = in_flight(visits), {}
        for stage, part in visits:
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
