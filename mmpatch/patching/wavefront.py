"""The order in which exact gradients visit the patches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum

import torch
from torch import Tensor

from .batch import PatchBatch


class Stage(Enum):
    """What is done with a patch, in this order."""

    ENCODE = 'encode'  #: theta1 without gradient, its features are remembered
    SCORE = 'score'  #: theta2, the loss, and backward to the features
    REPLAY = 'replay'  #: theta1 once more, with gradient, and backward to its parameters


#: A stage and the flat numbers (K,) of the patches that go through it.
Visit = tuple[Stage, Tensor]


def wavefront(batch: PatchBatch, chunk_size: int) -> list[Visit]:
    """Visit every patch three times, so that as few as possible are remembered in between.

    A patch is scored as soon as it and its 3 x 3 neighbours are encoded, and replayed as soon as
    it and its neighbours are scored, for only then all that arrives at its features has arrived.
    Features and their gradients therefore live for about two rows of patches, not for an image.

    Args:
        batch: The patches.
        chunk_size: Patches of one visit, at most.

    Returns:
        The visits in order; the same parts are encoded and replayed.
    """
    last = batch.neighbours.amax(dim=1).cummax(dim=0).values.tolist()
    parts = torch.arange(batch.num_patches).split(chunk_size)
    ready_when = [last[int(part[-1])] for part in parts]
    return list(_visits(parts, ready_when))


def _visits(parts: Sequence[Tensor], ready_when: Sequence[int]) -> Iterator[Visit]:
    stages = list(Stage)
    done = [0, 0, 0]  # parts that went through each stage
    ends = [0, *(int(part[-1]) + 1 for part in parts)]
    while done[2] < len(parts):
        for stage in (2, 1, 0):  # the furthest first, so that memory becomes free
            following = done[stage]
            if following == len(parts):
                continue
            if stage == 0 or ready_when[following] < ends[done[stage - 1]]:
                yield stages[stage], parts[following]
                done[stage] += 1
                break


def everything(batch: PatchBatch, chunk_size: int) -> list[Visit]:
    """Encode all patches, score them together, replay them: for a theta2 that sees the whole Z."""
    whole = torch.arange(batch.num_patches)
    parts = whole.split(chunk_size)
    return [
        *((Stage.ENCODE, part) for part in parts),
        (Stage.SCORE, whole),
        *((Stage.REPLAY, part) for part in parts),
    ]


def in_flight(visits: Sequence[Visit]) -> int:
    """The largest number of patches between encoding and replay, which lie next to each other."""
    most = start = 0
    for stage, part in visits:
        if stage is Stage.ENCODE:
            most = max(most, int(part[-1]) + 1 - start)
        elif stage is Stage.REPLAY:
            start = int(part[-1]) + 1
    return most
