"""All that a train loop may ask of a model."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from mmpatch.patching import Features, Latent, PatchBatch


@runtime_checkable
class PatchModel(Protocol):
    """A model that is trained patch by patch.

    The loop decides when these are called, the model what they do.
    """

    chunk_size: int

    @property
    def local(self) -> bool:
        """Whether the loss of a patch reads Z at the patch and its 3 x 3 neighbours alone."""

    def cut(self, inputs: list[Tensor], data_samples: list[Any]) -> PatchBatch:
        """Cut the images (C, H, W) of a batch and prepare what the loss needs of the labels."""

    def encode(self, batch: PatchBatch, indices: Tensor) -> Features:
        """theta1 on the patches with these K flat numbers -> (K, D_l, h_l, w_l) a level."""

    def encode_global(self, batch: PatchBatch) -> Features | None:
        """theta1 on the B global patches -> features (B, D_l, g_l, g_l); None without them."""

    def scored(self, batch: PatchBatch, chosen: Tensor) -> Tensor:
        """Flat numbers of the patches whose loss an inner iteration on ``chosen`` counts."""

    def loss_at(
        self, batch: PatchBatch, latent: Latent, context: Features | None, scored: Tensor
    ) -> dict[str, Tensor]:
        """theta2 and the loss at the scored patches, normalised by the whole batch."""

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum up losses and name them for the log (mmengine's ``BaseModel``)."""
