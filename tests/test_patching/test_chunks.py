"""Chunks are scored and replayed when their neighbours are there, and a ring is large enough."""

from __future__ import annotations

import pytest
import torch

from mmpatch.patching import ChunkOrder, PatchBatch


def batch_of(*sizes: tuple[int, int]) -> PatchBatch[None]:
    return PatchBatch([torch.zeros(1, height * 4, width * 4) for height, width in sizes], 4)


def stages(order: ChunkOrder) -> list[tuple[str, list[int]]]:
    """What happens to which patches, as the docstring of the class says."""
    found = []
    for i, chunk in enumerate(order.chunks):
        found.append(('encode', chunk.tolist()))
        for j in order.completed(i):
            found.append(('score', order.chunks[j].tolist()))
            found += [('replay', order.chunks[k].tolist()) for k in order.completed(j)]
    return found


@pytest.mark.parametrize('chunk', [1, 2, 3, 100])
@pytest.mark.parametrize('sizes', [[(5, 4)], [(1, 1)], [(1, 6), (6, 1), (3, 3)]])
def test_every_stage_waits_for_the_neighbours(sizes: list[tuple[int, int]], chunk: int) -> None:
    batch = batch_of(*sizes)
    done: dict[str, list[int]] = dict(encode=[], score=[], replay=[])
    for stage, patches in stages(ChunkOrder(batch, chunk)):
        near = {p for p in batch.neighbours[patches].flatten().tolist() if p >= 0}
        if stage == 'score':
            assert near <= set(done['encode'])
        if stage == 'replay':
            assert near <= set(done['score'])
        done[stage] += patches
    assert all(patches == list(range(batch.num_patches)) for patches in done.values())


def test_about_two_rows_are_in_flight() -> None:
    assert ChunkOrder(batch_of((16, 16)), 1).capacity == 2 * 16 + 3
    assert ChunkOrder(batch_of((64, 4)), 1).capacity == 2 * 4 + 3
    assert ChunkOrder(batch_of((2, 2)), 100).capacity == 4


@pytest.mark.parametrize('chunk', [1, 2, 5])
@pytest.mark.parametrize('sizes', [[(7, 5)], [(2, 9), (5, 3)]])
def test_a_ring_of_that_many_slots_is_enough(sizes: list[tuple[int, int]], chunk: int) -> None:
    """No patch takes the slot of one that is still needed."""
    batch = batch_of(*sizes)
    order = ChunkOrder(batch, chunk)
    room = order.capacity
    slots: dict[int, int | None] = {}
    most = 0
    for stage, patches in stages(order):
        for patch in patches:
            if stage == 'encode':
                assert slots.get(patch % room) is None
                slots[patch % room] = patch
            elif stage == 'score':
                needed = [p for p in batch.neighbours[patch].tolist() if p >= 0]
                assert all(slots[p % room] == p for p in needed)
            else:
                assert slots[patch % room] == patch
        most = max(most, sum(patch is not None for patch in slots.values()))
        if stage == 'replay':
            slots.update({patch % room: None for patch in patches})
    assert most == room  # and no slot is wasted
