"""The exact gradient of a batch in the memory of a chunk of patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mmpatch.models.norms import training_norms
from mmpatch.models.protocol import PatchModel
from mmpatch.patching import ChunkOrder, Latent, Storage
from mmpatch.registry import GRADIENTS

from .orders import one_by_one, streamed, two_pass
from .passes import Losses, Passes
from .retry import with_smaller_chunks


@GRADIENTS.register_module(name='exact')
class ExactGradient:
    """The gradient that autograd would give with all patches in memory at once.

    Every patch is encoded without graph, scored, and encoded again with graph. A batch of no more
    patches than a chunk keeps its graphs and is encoded once. There is one inner iteration per
    batch; sampling plays no part.

    Args:
        chunk_size: Patches that go through theta1 at once. Changes speed and memory, never the
            result (but for the random numbers of dropout).
        latent: Where features wait, the arguments of :class:`mmpatch.patching.Storage`.

    Raises:
        ValueError: If the chunk size is below 1.
    """

    samples = False

    def __init__(self, chunk_size: int = 1, latent: dict[str, Any] | None = None) -> None:
        if chunk_size < 1:
            raise ValueError(f'chunk_size must be at least 1 patch, got {chunk_size}')
        self.chunk_size: int = chunk_size
        self.storage = Storage(**(latent or {}))

    def check(self, model: PatchModel[Any]) -> None:
        """Refuse BatchNorm in training mode: it ties a patch to those that share its chunk.

        Raises:
            ValueError: With the layers and the two ways out.
        """
        names = training_norms(model)
        if names:
            raise ValueError(
                "gradient='exact' needs normalisation that does not depend on which patches are "
                f'encoded together, but {len(names)} BatchNorm layers are in training mode (first: '
                f"{names[0]}). Either set model.norm_eval=True, or use norm_cfg=dict(type='GN', "
                'num_groups=32)'
            )

    def __call__(self, passes: Passes, draws: Sequence[Tensor] = ()) -> Losses:
        """Compute the gradient of a batch and step.

        Args:
            passes: The batch.
            draws: Not read.

        Returns:
            Losses of the batch.
        """
        losses, self.chunk_size = with_smaller_chunks(
            passes.stepper.parameters,
            self.chunk_size,
            lambda chunk_size: self._gradient(passes, chunk_size),
        )
        passes.step(losses['loss'])
        return losses

    def rehearse(self, passes: Passes, draws: Sequence[Tensor], chunk_size: int) -> None:
        """Compute as much of the gradient as shows its highest memory, and make no step."""
        last_chunk = -(-ChunkOrder(passes.batch, chunk_size).capacity // chunk_size)
        self._gradient(passes, chunk_size, last_chunk)

    def _gradient(self, passes: Passes, chunk_size: int, last_chunk: int | None = None) -> Losses:
        """The gradient, in the order that remembers the least."""
        model, batch = passes.model, passes.batch
        if model.loss_scope == 'image' or (model.needs_sums and model.loss_scope == 'neighbours'):
            latent = Latent(batch, storage=self.storage)
            return two_pass(passes, latent, batch.all_patches, batch.all_patches, chunk_size)
        if model.needs_sums:
            return one_by_one(passes, self.storage, chunk_size)
        return streamed(passes, self.storage, chunk_size, last_chunk)
