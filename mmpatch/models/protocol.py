"""All that a train loop may ask of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from mmpatch.patching import Features, Latent, PatchBatch, Reach

#: What a loss needs to know of all patches; the model that measures it knows what it means.
Totals = tuple[Tensor, ...]


@runtime_checkable
class PatchModel(Protocol):
    """A model that is trained patch by patch.

    The loop decides when these are called, the model what they do.
    """

    chunk_size: int

    @property
    def reach(self) -> Reach:
        """How much of an image the loss of a patch depends on."""

    def cut(self, inputs: list[Tensor], data_samples: list[Any]) -> PatchBatch:
        """Cut the images (C, H, W) of a batch and prepare what the loss needs of the labels."""

    def encode(self, batch: PatchBatch, indices: Tensor) -> Features:
        """theta1 on the patches with these K flat numbers -> (K, D_l, h_l, w_l) a level."""

    def encode_global(self, batch: PatchBatch) -> Features | None:
        """theta1 on the B global patches -> features (B, D_l, g_l, g_l); None without them."""

    def scored(self, batch: PatchBatch, chosen: Tensor) -> Tensor:
        """Flat numbers of the patches whose loss an inner iteration on ``chosen`` counts."""

    def measure(
        self, batch: PatchBatch, latent: Latent, context: Features | None, part: Tensor
    ) -> Totals:
        """What patches (S,) add to the sums that the loss of any patch needs to know.

        Called without gradient, and only of a model whose reach has totals.
        """

    def totals(self, batch: PatchBatch, parts: Sequence[Totals]) -> Totals:
        """The sums over all patches, from those over parts of them."""

    def loss_at(
        self,
        batch: PatchBatch,
        latent: Latent,
        context: Features | None,
        scored: Tensor,
        totals: Totals | None = None,
    ) -> dict[str, Tensor]:
        """theta2 and the loss at the scored patches, as shares of those of the whole batch."""

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum up losses and name them for the log (mmengine's ``BaseModel``)."""
