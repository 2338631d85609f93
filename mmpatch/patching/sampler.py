"""Which patches an inner iteration trains on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .schedule import PatchSchedule


class PatchSampler:
    """Draws patches without replacement, as a pure function of its arguments.

    Nothing is remembered between calls and no global random state is read, so a resumed run draws
    what the uninterrupted run would have drawn.

    Args:
        seed: The run's seed; two seeds give unrelated draws.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def draw(
        self,
        sizes: Sequence[int],
        schedule: PatchSchedule,
        *,
        epoch: int,
        iteration: int,
        rank: int = 0,
    ) -> list[Tensor]:
        """Draw the patches of all J inner iterations of a batch.

        All patches of the batch are shuffled and handed out until they are used up, then shuffled
        anew. Images take part in proportion to their size. With ``inner_iterations=None`` each
        patch is drawn once, in J portions of nearly equal size. Otherwise every portion has
        :meth:`PatchSchedule.patches_per_round` patches (the last one of a shuffle may have fewer).

        Args:
            sizes: Number of patches of each image.
            schedule: The sampling rate and J.
            epoch: Epoch of the draw.
            iteration: Iteration of the draw, counted from the start of the training.
            rank: Process that draws.

        Returns:
            J tensors of flat patch numbers, ascending, int64; none of them is empty.

        Raises:
            ValueError: If there is no patch.
        """
        if sum(sizes) < 1:
            raise ValueError(f'drawing needs at least one patch, got images of {list(sizes)}')
        generator = torch.Generator().manual_seed(_mix(self.seed, epoch, iteration, rank))
        portions: list[Tensor] = []
        while len(portions) < schedule.rounds:
            portions += _portions(_shuffled(sizes, generator), schedule)
        return [portion.sort().values for portion in portions[: schedule.rounds]]


def _shuffled(sizes: Sequence[int], generator: torch.Generator) -> Tensor:
    """All flat patch numbers in random order; any stretch holds each image in proportion."""
    numbers, places, start = [], [], 0
    for size in sizes:
        numbers.append(torch.randperm(size, generator=generator) + start)
        places.append((torch.arange(size) + torch.rand(1, generator=generator)) / max(size, 1))
        start += size
    return torch.cat(numbers)[torch.cat(places).argsort(stable=True)]


def _portions(order: Tensor, schedule: PatchSchedule) -> Iterator[Tensor]:
    """The portions of one pass over all patches, none of them empty."""
    if schedule.inner_iterations is None:
        parts = order.tensor_split(schedule.rounds)
    else:
        parts = order.split(schedule.patches_per_round(len(order)))
    return (part for part in parts if len(part))


def _mix(*numbers: int) -> int:
    """One well-spread 63-bit seed out of several numbers, the same on every platform."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little') >> 1
