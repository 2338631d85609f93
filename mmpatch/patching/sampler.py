"""Which patches an inner iteration trains on."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


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
        self, num_patches: int, count: int, rounds: int, *, epoch: int, iteration: int, stream: int
    ) -> list[Tensor]:
        """Draw the patches of all inner iterations of one image.

        The grid is shuffled and handed out ``count`` at a time until it is used up (the last
        portion may be smaller), then shuffled anew; no portion holds a patch twice.

        Args:
            num_patches: Number N of patches of the image.
            count: Number K of patches an inner iteration encodes with gradient.
            rounds: Number J of inner iterations.
            epoch: Epoch of the draw.
            iteration: Iteration of the draw, counted from the start of the training.
            stream: Number of the image among all images of this iteration, over all ranks.

        Returns:
            J tensors of at most K patch numbers each, int64.

        Raises:
            ValueError: If N, K or J is not positive.
        """
        if min(num_patches, count, rounds) < 1:
            raise ValueError(
                'drawing needs num_patches, count and rounds >= 1, got '
                f'{num_patches}, {count}, {rounds}'
            )
        generator = torch.Generator().manual_seed(_mix(self.seed, epoch, iteration, stream))
        portions: list[Tensor] = []
        while len(portions) < rounds:
            portions += torch.randperm(num_patches, generator=generator).split(count)
        return portions[:rounds]


def _mix(*numbers: int) -> int:
    """One well-spread 63-bit seed out of several numbers, the same on every platform."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little') >> 1
