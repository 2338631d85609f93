"""The order in which the chunks of a batch are encoded, scored and replayed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from torch import Tensor

from .batch import PatchBatch


class ChunkOrder:
    """The patches of a batch in chunks, and which chunks wait for which.

    A chunk is *complete* once all 3 x 3 neighbours of its patches have gone through the same stage.
    A chunk may be scored when its neighbours are encoded. It may be replayed when its neighbours
    are scored, since only then all of its gradient has arrived. So features live for about two rows
    of patches::

        for i, chunk in enumerate(order.chunks):
            encode(chunk)
            for j in order.completed(i):
                score(order.chunks[j])
                for k in order.completed(j):
                    replay(order.chunks[k])

    Args:
        batch: The patches.
        chunk_size: Patches that go through theta1 at once.
        scored: (S,) numbers of patches that follow each other; only these are scored. Chunks then hold
            them and their neighbours. None: all.

    Attributes:
        chunks: Flat patch numbers (K,) of each chunk, ascending.
    """

    def __init__(
        self, batch: PatchBatch[object], chunk_size: int, scored: Tensor | None = None
    ) -> None:
        self._scored = batch.all_patches if scored is None else scored
        self.chunks: tuple[Tensor, ...] = ()
        self._completed_by: list[int] = []
        if not len(self._scored):
            return
        near = batch.neighbours[self._scored]
        first, end = int(near[near >= 0].min()), int(near.max()) + 1
        self.chunks = batch.all_patches[first:end].split(chunk_size)
        neighbours = batch.neighbours[first:end]
        neighbours = neighbours.masked_fill(neighbours >= end, -1)  # they are not needed
        last_neighbour = neighbours.amax(dim=1).cummax(dim=0).values - first
        ends = [int(chunk[-1]) - first for chunk in self.chunks]
        #: For each chunk, the number of the chunk that completes it; ascending.
        self._completed_by = (last_neighbour[ends] // chunk_size).tolist()

    def scored(self, i: int) -> Tensor:
        """The patches of chunk ``i`` that are scored; (S,), may be empty."""
        chunk = self.chunks[i]
        return chunk[(chunk >= self._scored[0]) & (chunk <= self._scored[-1])]

    def completed(self, i: int) -> range:
        """Numbers of the chunks that chunk ``i`` completes; ascending, each chunk comes once."""
        return range(bisect_left(self._completed_by, i), bisect_right(self._completed_by, i))

    @property
    def capacity(self) -> int:
        """Most patches between encoding and replay, which lie next to each other."""
        most = 0
        for chunk, scored_by in zip(self.chunks, self._completed_by):
            replayed_by = self._completed_by[scored_by]
            most = max(most, int(self.chunks[replayed_by][-1]) + 1 - int(chunk[0]))
        return most
