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
        images: Sequence[Tensor],
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
        :meth:`PatchSchedule.patches_per_round` patches; the last one of a shuffle may have fewer,
        and so may one that the next block does not fit into.

        Args:
            images: Row and column of every patch in the grid of its image, (N_b, 2) int64 each.
            schedule: The sampling rate, J, the size of blocks, and whether the global patch comes first.
            epoch: Epoch of the draw.
            iteration: Iteration of the draw, counted from the start of the training.
            rank: Process that draws.

        Returns:
            J tensors of flat patch numbers, ascending, int64; none of them is empty. With
            ``global_iteration`` an empty one comes before them.

        Raises:
            ValueError: If there is no patch.
        """
        sizes = [len(places) for places in images]
        if sum(sizes) < 1:
            raise ValueError(f'drawing needs at least one patch, got images of {sizes}')
        generator = torch.Generator().manual_seed(_mix(self.seed, epoch, iteration, rank))
        portions: list[Tensor] = []
        while len(portions) < schedule.draws:
            portions += _portions(_shuffled(images, schedule.block, generator), schedule)
        draws = [portion.sort().values for portion in portions[: schedule.draws]]
        return [torch.arange(0)] * schedule.global_iteration + draws


def _shuffled(images: Sequence[Tensor], side: int, generator: torch.Generator) -> list[Tensor]:
    """Blocks of flat patch numbers in random order; any stretch holds each image in proportion."""
    blocks: list[Tensor] = []
    ranks, start = [], 0
    for places in images:
        own = _blocks(places, side, generator)
        blocks += [own[i] + start for i in torch.randperm(len(own), generator=generator).tolist()]
        ranks.append(
            (torch.arange(len(own)) + torch.rand(1, generator=generator)) / max(len(own), 1)
        )
        start += len(places)
    return [blocks[i] for i in torch.cat(ranks).argsort(stable=True).tolist()]


def _blocks(places: Tensor, side: int, generator: torch.Generator) -> list[Tensor]:
    """Numbers of the patches of one image in square blocks, whose lines lie anew in each draw."""
    if side == 1:
        return list(torch.arange(len(places)).split(1))
    shift = torch.randint(side, (2,), generator=generator)
    block = torch.div(places + shift, side, rounding_mode='floor').unique(
        dim=0, return_inverse=True
    )[1]
    return [(block == i).nonzero()[:, 0] for i in range(int(block.max()) + 1)]


def _portions(blocks: list[Tensor], schedule: PatchSchedule) -> Iterator[Tensor]:
    """The portions of one pass over all patches, none of them empty."""
    count = sum(map(len, blocks))
    if schedule.inner_iterations is None:
        yield from (part for part in torch.cat(blocks).tensor_split(schedule.draws) if len(part))
        return
    most = schedule.patches_per_round(count)
    portion: list[Tensor] = []
    for block in blocks:
        for part in block.split(most):
            if portion and sum(map(len, portion)) + len(part) > most:
                yield torch.cat(portion)
                portion = []
            portion.append(part)
    yield torch.cat(portion)


def _mix(*numbers: int) -> int:
    """One well-spread 63-bit seed out of several numbers, the same on every platform."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little') >> 1
