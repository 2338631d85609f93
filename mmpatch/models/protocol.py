"""All that a train loop may ask of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from torch import Tensor

from mmpatch.patching import Features, Latent, PatchBatch

from .norms import HasModules

#: How much of Z the loss of a patch reads: the patch, its 3 x 3 neighbours, or its whole image.
LossScope = Literal['patch', 'neighbours', 'image']

#: Which patches an inner iteration scores: those that carry gradient, or all.
LossRegion = Literal['sampled', 'full']

#: What the losses of an inner iteration are divided by, or depend on by sums: what it scores, or all.
NormaliseBy = Literal['iteration', 'batch']

#: Sums over patches that a loss depends on; the model that makes them knows what they mean.
Sums = tuple[Tensor, ...]

Targets = TypeVar('Targets')


@runtime_checkable
class PatchModel(HasModules, Protocol[Targets]):
    """A model that is trained patch by patch.

    The gradient decides when these methods are called, the model what they do. Patches are always
    given by their flat numbers in the batch.

    Attributes:
        chunk_size: Patches encoded at once where no gradient is needed.
        global_patch: Whether :meth:`encode_global` gives anything.
        reads_global: Whether theta2 reads the global patch at every patch. If not, the global patch
            serves its own losses alone.
        loss_scope: How much of Z the loss of a patch reads.
        loss_region: Which patches an inner iteration scores.
        needs_sums: Whether the loss of a patch depends on sums over all patches.
        normalise_by: Whether an inner iteration takes these sums over what it scores, as a step on
            tiles does, or over the whole batch.
    """

    chunk_size: int
    global_patch: bool
    loss_region: LossRegion
    normalise_by: NormaliseBy

    @property
    def reads_global(self) -> bool:
        """Whether theta2 reads the global patch at every patch."""

    @property
    def loss_scope(self) -> LossScope:
        """How much of Z the loss of a patch reads."""

    @property
    def needs_sums(self) -> bool:
        """Whether the loss of a patch depends on sums over all patches."""

    def cut(self, inputs: list[Tensor], data_samples: list[Any]) -> PatchBatch[Targets]:
        """Cut the images (C, H, W) of a batch and prepare what the loss needs of the labels."""

    def encode(self, batch: PatchBatch[object], patches: Tensor) -> Features:
        """theta1 on K patches -> (K, D_l, h_l, w_l) per level."""

    def encode_global(self, batch: PatchBatch[object]) -> Features | None:
        """theta1 on the B global patches -> (B, D_l, g_l, g_l) per level; None without them."""

    def encode_with_global(
        self, batch: PatchBatch[object], patches: Tensor
    ) -> tuple[Features, Features | None]:
        """What :meth:`encode` and :meth:`encode_global` return, if possible by one call of theta1."""

    def for_iteration(
        self, batch: PatchBatch[Targets], patches: Tensor, weight: float, global_weight: float
    ) -> PatchBatch[Targets]:
        """The batch as an inner iteration of PatchGD sees it, that scores S patches of it.

        Args:
            batch: The batch.
            patches: (S,) the patches.
            weight: Factor of the losses of these patches.
            global_weight: Factor of the losses of the global patches.
        """

    def patch_sums(
        self,
        batch: PatchBatch[Targets],
        latent: Latent,
        global_features: Features | None,
        patches: Tensor,
    ) -> Sums:
        """What S patches add to the sums that the loss of every patch depends on.

        Called without gradient, and only if ``needs_sums``.
        """

    def batch_sums(self, batch: PatchBatch[Targets], parts: Sequence[Sums]) -> Sums:
        """The sums over all patches, from the sums over parts of them."""

    def patch_losses(
        self,
        batch: PatchBatch[Targets],
        latent: Latent,
        global_features: Features | None,
        patches: Tensor,
        sums: Sums | None = None,
    ) -> dict[str, Tensor]:
        """theta2 and the loss at S patches, as shares of the losses of the whole batch.

        With ``loss_scope='image'`` these are the losses of the images that the patches belong to.
        """

    def global_losses(
        self, batch: PatchBatch[Targets], global_features: Features
    ) -> dict[str, Tensor]:
        """The batch's losses of the global patches themselves; empty if they have no labels."""

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum up losses and name them for the log (mmengine's ``BaseModel``)."""
