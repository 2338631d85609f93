"""What a train loop may ask of a gradient strategy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from mmpatch.models.protocol import PatchModel
from mmpatch.patching import Storage

from .passes import Losses, Passes
from .workload import Workload


class GradientStrategy(Protocol):
    """Trains on one batch.

    Attributes:
        samples: Whether it reads the draws of a batch. A strategy that does not makes one inner
            iteration per batch, whatever the sampling rate.
        work: Patches in memory with their graphs; None: all of a draw.
        storage: Where Z is kept.
    """

    samples: bool
    work: Workload | None
    storage: Storage

    def check(self, model: PatchModel[Any]) -> None:
        """Refuse a model that this strategy cannot train, before the training starts."""

    def __call__(self, passes: Passes, draws: Sequence[Tensor]) -> Losses:
        """Compute the gradient of a batch and step; losses of the batch for the log."""

    def rehearse(self, passes: Passes, draws: Sequence[Tensor], work: Workload) -> None:
        """Compute as much of a gradient as shows its highest memory, and make no step."""

    def waiting(self, passes: Passes, draws: Sequence[Tensor], chunk_size: int) -> int:
        """Patches between their encoding and their backward pass: no more graphs can be kept."""
