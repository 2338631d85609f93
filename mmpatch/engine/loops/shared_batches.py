"""The same batches for all ranks of a group."""

from __future__ import annotations

import hashlib
import math
from typing import Any, cast

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader

from mmpatch.engine.mesh import Mesh, PatchGroup


def shared_dataloader(
    runner: Any, dataloader: dict[str, Any] | DataLoader[Any], mesh: Mesh
) -> DataLoader[Any]:
    """A data loader that gives each group of ranks the batches that a single rank would get.

    Args:
        runner: mmengine's runner, which builds it.
        dataloader: Its config, or a data loader.
        mesh: How the ranks are grouped.

    Raises:
        TypeError: If its sampler does not tell which rank it is for.
    """
    loader: Any = dataloader
    if isinstance(dataloader, dict):
        different = runner._randomness_cfg.get('diff_rank_seed', False)
        loader = runner.build_dataloader(dataloader, runner.seed, different)
    sampler: Any = loader.sampler
    if not hasattr(sampler, 'rank') or not hasattr(sampler, 'world_size'):
        raise TypeError(
            'ranks that share patches need a sampler that can be told which of the batches is '
            f"theirs, by its attributes rank and world_size, such as mmengine's DefaultSampler; "
            f'got {type(sampler).__name__}'
        )
    sampler.rank, sampler.world_size = mesh.data_rank, mesh.data
    if hasattr(sampler, 'num_samples'):  # samplers by epochs count theirs when they are built
        count, rounded = len(sampler.dataset), getattr(sampler, 'round_up', True)
        own = count if rounded else count - mesh.data_rank
        sampler.num_samples = math.ceil(own / mesh.data)
        sampler.total_size = sampler.num_samples * mesh.data if rounded else count
    return cast('DataLoader[Any]', loader)


class AlikeCheck:
    """Refuses batches that differ within a group of ranks. Only the first batch is compared.

    Args:
        group: The ranks.
    """

    def __init__(self, group: PatchGroup) -> None:
        self._group = group
        self._done = group.size == 1

    def __call__(self, data: dict[str, Any]) -> None:
        """Compare a batch.

        Args:
            data: A batch of the data loader.

        Raises:
            ValueError: On all ranks of the group, if they have different batches.
        """
        if self._done:
            return
        self._done = True
        digest = hashlib.blake2b()
        for image in data['inputs']:
            digest.update(str(tuple(image.shape)).encode())
            corner = image if isinstance(image, Tensor) else image[:, :64, :64]  # of a file
            digest.update(np.ascontiguousarray(corner.numpy()).data)
        names = [sample.metainfo.get('img_path') for sample in data['data_samples']]
        found = self._group.all_of((digest.hexdigest(), names))
        if any(other != found[0] for other in found):
            listed = '; '.join(f'rank {rank}: {names}' for rank, (_, names) in enumerate(found))
            raise ValueError(
                f'the ranks of a group share the patches of one batch, but got different ones '
                f'({listed}). The sampler or the data pipeline depends on the rank: draw random '
                'numbers from random, numpy.random or torch, which are seeded alike'
            )
