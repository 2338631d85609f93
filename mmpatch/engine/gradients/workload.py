"""How many patches are in memory with their graphs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mmengine.logging import print_log

from .encoding import Encoding

#: Numbers of graphs that were said to be more than there is use for; each is said once.
_SAID: set[int] = set()


@dataclass(frozen=True)
class Workload:
    """How many patches are in memory with their graphs at a time.

    Attributes:
        chunk_size: Patches that go through theta1 at once.
        graphs: Patches whose graphs are kept for their backward pass. The others are encoded twice.

    Raises:
        ValueError: If the chunk size is below 1, or the number of graphs below 0.
    """

    chunk_size: int
    graphs: int = 0

    def __post_init__(self) -> None:
        if self.chunk_size < 1:
            raise ValueError(f'chunk_size must be at least 1 patch, got {self.chunk_size}')
        if self.graphs < 0:
            raise ValueError(f'graphs must be 0 (none is kept) or more patches, got {self.graphs}')

    def smaller(self) -> Workload | None:
        """One that takes less memory; None if there is none."""
        if self.graphs:
            return replace(self, graphs=self.graphs // 2)
        return replace(self, chunk_size=self.chunk_size // 2) if self.chunk_size > 1 else None

    def __str__(self) -> str:
        kept = f', graphs of {self.graphs} kept' if self.graphs else ''
        return f'{self.chunk_size} patch(es) with gradient at a time{kept}'


class GraphRoom:
    """Room for graphs that wait for their backward pass; counts the patches that they are of.

    Where one chunk holds all patches, its graph is kept in any case: encoding it again would take the
    same memory. So are those of global patches, if it has room for them as well.

    Args:
        work: Says how many graphs are kept.
        waiting: Patches that wait at a time.
        images: Global patches, whose graphs wait until the end of the batch. They are kept where
            all others are.
    """

    def __init__(self, work: Workload, waiting: int, images: int = 0) -> None:
        if work.graphs > waiting + images and work.graphs not in _SAID:
            _SAID.add(work.graphs)
            print_log(
                f'graphs={work.graphs} is more than there is use for: {waiting} patches and {images} '
                'global patches of this batch wait for their backward pass at a time',
                logger='current',
            )
        self.free = waiting if work.chunk_size >= waiting else min(work.graphs, waiting)
        self._global = images == 0 or max(work.chunk_size, work.graphs) >= waiting + images

    def take_global(self) -> bool:
        """Whether the graph of the global patches is kept."""
        return self._global

    def take(self, patches: int) -> bool:
        """Whether the graph of so many patches is kept; if so, it takes room from now on."""
        if patches > self.free:
            return False
        self.free -= patches
        return True

    def give_back(self, encoding: Encoding) -> None:
        """The backward pass of an encoding is done: its graph takes no room any more."""
        self.free += encoding.kept
