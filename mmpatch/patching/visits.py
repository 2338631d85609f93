"""The order in which patches are encoded, scored and encoded again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum

import torch
from torch import Tensor

from .batch import PatchBatch


class Reach(Enum):
    """How much of an image the loss of a patch depends on, beyond the labels."""

    NEIGHBOURS = 'neighbours'  #: Z at the patch and its 3 x 3 neighbours
    TOTALS = 'totals'  #: the same, and sums over all patches of the batch
    OWN_TOTALS = 'own totals'  #: Z at the patch alone, and sums over all patches of the batch
    EVERYTHING = 'everything'  #: all of Z


class Stage(Enum):
    """What is done with patches, in this order."""

    ENCODE = 'encode'  #: theta1 without gradient, its features are remembered
    MEASURE = 'measure'  #: theta2 without gradient, to sum up what the loss needs of all patches
    ENCODE_AGAIN = 'encode again'  #: theta1 with gradient, its graph kept until the replay
    SCORE = 'score'  #: theta2, the loss, and backward to the features
    REPLAY = 'replay'  #: theta1 once more, with gradient, and backward to its parameters


#: A stage and the flat numbers (K,) of the patches that go through it.
Visit = tuple[Stage, Tensor]


def visits(batch: PatchBatch, chunk_size: int, reach: Reach) -> list[Visit]:
    """The order that remembers as few patches as a loss of some reach allows.

    Args:
        batch: The patches.
        chunk_size: Patches that go through theta1 at once.
        reach: What the loss of a patch depends on.

    Returns:
        The visits in order; the same parts are encoded and replayed.
    """
    if reach is Reach.NEIGHBOURS:
        return list(_wavefront(batch, chunk_size))
    everything = torch.arange(batch.num_patches)
    parts = everything.split(chunk_size)
    if reach is Reach.OWN_TOTALS:
        once = (Stage.ENCODE, Stage.MEASURE)
        again = (Stage.ENCODE_AGAIN, Stage.SCORE, Stage.REPLAY)
        return [(stage, part) for stages in (once, again) for part in parts for stage in stages]
    if reach is Reach.TOTALS:
        stages = (Stage.ENCODE, Stage.MEASURE, Stage.SCORE, Stage.REPLAY)
        return [(stage, part) for stage in stages for part in parts]
    return [
        *((Stage.ENCODE, part) for part in parts),
        (Stage.SCORE, everything),
        *((Stage.REPLAY, part) for part in parts),
    ]


def _wavefront(batch: PatchBatch, chunk_size: int) -> Iterator[Visit]:
    """Visit every patch as soon as what it needs is there.

    A patch is scored when it and its 3 x 3 neighbours are encoded, and replayed when it and its
    neighbours are scored, for only then all that arrives at its features has arrived. Features and
    their gradients therefore live for about two rows of patches, not for an image.
    """
    last = batch.neighbours.amax(dim=1).cummax(dim=0).values.tolist()
    parts = torch.arange(batch.num_patches).split(chunk_size)
    ready_when = [last[int(part[-1])] for part in parts]
    stages = (Stage.ENCODE, Stage.SCORE, Stage.REPLAY)
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


def in_flight(order: Sequence[Visit]) -> int:
    """The largest number of patches between encoding and replay, which lie next to each other."""
    most = start = 0
    twice = any(stage is Stage.ENCODE_AGAIN for stage, _ in order)
    for stage, part in order:
        if stage is Stage.MEASURE and twice:  # forgotten until it is encoded again
            start = int(part[-1]) + 1
        elif stage is Stage.ENCODE_AGAIN:
            start = int(part[0])
        elif stage is Stage.ENCODE:
            most = max(most, int(part[-1]) + 1 - start)
        elif stage is Stage.REPLAY:
            start = int(part[-1]) + 1
    return most
