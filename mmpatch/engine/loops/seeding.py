"""Random states of the data, so that an interrupted run can be repeated from any epoch."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from mmpatch.registry import FUNCTIONS


def seed_everything(seed: int, start: int, rank: int = 0) -> None:
    """Seed the random states that data pipelines and data loaders read.

    Args:
        seed: The run's seed.
        start: Number of the epoch, or of the batch, that starts.
        rank: Number of the batch among those that are trained on at the same time.
    """
    state = int(np.random.SeedSequence([seed, start, rank]).generate_state(1)[0])
    random.seed(state)
    np.random.seed(state)  # noqa: NPY002 - the generator that data pipelines read
    torch.manual_seed(state)


class SeededBatches:
    """An endless iterator over batches whose random states depend on (seed, batch, rank) alone.

    A resumed run skips the batches that it has trained on. Its workers, and the main process, then
    augment the next batch as the uninterrupted run would have.

    Args:
        batches: mmengine's endless iterator over a data loader.
        seed: The run's seed.
        workers: Number of workers of the data loader.
        rank: Number of the batch among those that are trained on at the same time.
    """

    def __init__(self, batches: Any, seed: int, workers: int, rank: int = 0) -> None:
        self._batches = batches
        self._seed = seed
        self._workers = workers
        self._rank = rank
        self._number = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        seed_everything(self._seed, self._number, self._rank)
        self._number += 1
        return next(self._batches)

    def skip_iter(self, count: int) -> None:
        """Go past batches; the maintained mmengine calls this on resume.

        Workers have to load them again, since their random states come from what they did before.
        """
        if self._workers:
            for _ in range(count):
                next(self)
        else:
            self._batches.skip_iter(count)
            self._number += count


@contextmanager
def randomness_kept() -> Iterator[None]:
    """Leave the random states that data pipelines read as they are."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])


@FUNCTIONS.register_module()
def seed_worker(worker_id: int) -> None:
    """Seed a data loader's worker from the state of the main process.

    mmengine's own function gives a worker the same seed in every epoch, so workers that are
    started anew repeat their augmentations; and persistent workers do not survive an interruption.
    With this one (``worker_init_fn=dict(type='mmpatch.seed_worker')``, workers not persistent)
    augmentations differ from epoch to epoch and depend on (seed, epoch, rank, worker) alone.

    Args:
        worker_id: Number of the worker; PyTorch has put it into its initial seed already.
    """
    state = torch.initial_seed() % 2**32
    random.seed(state)
    np.random.seed(state)  # noqa: NPY002 - the generator that data pipelines read
