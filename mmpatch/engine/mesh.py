"""Ranks that share the patches of one batch, and groups of them that train on batches of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size
from mmengine.logging import print_log
from torch import Tensor

from mmpatch.patching import Latent, PatchBatch

#: (ranks, rows) of groups that were said to be larger than a batch has rows; each is said once.
_SAID: set[tuple[int, int]] = set()


class PatchGroup:
    """The ranks that share the patches of one batch; a single one by default.

    All of them have the whole batch. Each encodes and scores a part of the patches. The gradient is the
    sum of theirs.

    Args:
        rank: Of this process within the group.
        size: Number of ranks.
        group: The process group; None: all processes.
    """

    def __init__(
        self, rank: int = 0, size: int = 1, group: dist.ProcessGroup | None = None
    ) -> None:
        self.rank = rank
        self.size = size
        self._group = group

    def part(self, patches: Tensor) -> Tensor:
        """This rank's part of some patches (K,); it may be empty."""
        return patches.tensor_split(self.size)[self.rank]

    def rows(self, batch: PatchBatch[object]) -> Tensor:
        """The patches of this rank's rows of patches, which lie next to each other; may be empty.

        The first rank always has some.
        """
        if self.size == 1:
            return batch.all_patches
        rows = [batch.places_of(image)[:, 0] for image in range(batch.num_images)]
        of = torch.stack((batch.image_index, torch.cat(rows)), dim=1)
        counts = of.unique_consecutive(dim=0, return_counts=True)[1]
        if len(counts) < self.size and (self.size, len(counts)) not in _SAID:
            _SAID.add((self.size, len(counts)))
            print_log(
                f'{self.size} ranks share a batch of {len(counts)} row(s) of patches: '
                f'{self.size - len(counts)} of them have nothing to do. Use smaller patches, larger '
                'images, or fewer ranks a batch (train_cfg.parallel)',
                logger='current',
            )
        ends = torch.cat((torch.zeros(1, dtype=torch.long), counts.cumsum(0)))
        wanted = torch.arange(self.size + 1) * batch.num_patches / self.size
        bounds = ends[torch.searchsorted(ends.double(), wanted.double() - 1e-6)]
        return torch.arange(int(bounds[self.rank]), int(bounds[self.rank + 1]))

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over the ranks."""
        if self.size == 1:
            return
        for tensor in tensors:
            moved = self._sendable(tensor)
            dist.all_reduce(moved, group=self._group)
            if moved is not tensor:
                tensor.copy_(moved)

    def exchange(self, latent: Latent, patches: Tensor) -> None:
        """Give every rank the features of patches (K,) of which each rank has encoded its part."""
        if self.size == 1:
            return
        for rank, part in enumerate(patches.tensor_split(self.size)):
            if len(part):
                source = rank if self._group is None else dist.get_global_rank(self._group, rank)
                stored = [self._sendable(level) for level in latent.stored(part)]
                for level in stored:
                    dist.broadcast(level, source, self._group)
                if rank != self.rank:
                    latent.restore(part, stored)

    def _sendable(self, tensor: Tensor) -> Tensor:
        """A tensor where the group can send it: NCCL sends nothing that lies on the host."""
        on_gpus = dist.get_backend(self._group) == 'nccl'
        return tensor.cuda() if on_gpus and tensor.device.type == 'cpu' else tensor

    def all_of(self, value: Any) -> list[Any]:
        """What every rank has, in the order of the ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self._group)
        return values

    def most(self, number: float) -> float:
        """The largest of the ranks' numbers."""
        return max(self.all_of(number))

    def total(self, losses: dict[str, Tensor], like: Tensor) -> dict[str, Tensor]:
        """The sums of detached losses over the ranks, of which some may have none.

        Args:
            losses: By name.
            like: A tensor where losses are wanted.
        """
        if self.size == 1:
            return losses
        parts = self.all_of({name: float(value) for name, value in losses.items()})
        names = dict.fromkeys(name for part in parts for name in part)
        return {n: like.new_tensor(sum(part.get(n, 0.0) for part in parts)) for n in names}


@dataclass(frozen=True)
class Mesh:
    """How ranks share the work.

    Attributes:
        data: Number of groups; each has a batch of its own.
        patches: Ranks of a group, which share the patches of a batch.
        data_rank: Number of this process's group.
        group: The group of this process.
    """

    data: int = 1
    patches: int = 1
    data_rank: int = 0
    group: PatchGroup = field(default_factory=PatchGroup)

    @classmethod
    def build(cls, parallel: str | Sequence[int] | Mapping[str, int] = 'batches') -> Mesh:
        """Arrange all processes; every one has to call it.

        Args:
            parallel: ``'batches'``: every rank has a batch of its own. ``'patches'``: all ranks share
                the patches of one. ``dict(data=2, patch=4)``, or (2, 4): two groups of four ranks.

        Raises:
            ValueError: If it is none of these, or there are more or fewer processes.
        """
        world, rank = get_world_size(), get_rank()
        if parallel == 'batches':
            data, patches = world, 1
        elif parallel == 'patches':
            data, patches = 1, world
        else:
            data, patches = _sizes(parallel)
        if data * patches != world:
            raise ValueError(
                f'parallel={parallel!r} is a mesh of {data} x {patches} ranks, but there are {world} '
                f'processes: start {data * patches}, or choose sizes whose product is {world}'
            )
        if patches == 1:
            return cls(data, 1, rank)
        group = dist.new_subgroups(group_size=patches)[0] if data > 1 else None
        return cls(data, patches, rank // patches, PatchGroup(rank % patches, patches, group))


def _sizes(parallel: Any) -> tuple[int, int]:
    """The two sizes of a mesh."""
    sizes = parallel
    if isinstance(parallel, Mapping) and set(parallel) == {'data', 'patch'}:
        sizes = (parallel['data'], parallel['patch'])
    if (
        isinstance(sizes, (str, Mapping))
        or len(sizes) != 2
        or not all(isinstance(size, int) and size > 0 for size in sizes)
    ):
        raise ValueError(
            "parallel must be 'batches', 'patches', or a mesh such as dict(data=2, patch=4); got "
            f'{parallel!r}'
        )
    return sizes[0], sizes[1]
