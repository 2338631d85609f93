"""The exact gradient of a batch in the memory of a chunk of patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mmpatch.models.norms import training_norms
from mmpatch.models.protocol import PatchModel
from mmpatch.patching import Latent, Storage
from mmpatch.registry import GRADIENTS

from .orders import one_by_one, streamed, two_pass
from .passes import Losses, Passes
from .retry import with_less_work
from .workload import Workload


@GRADIENTS.register_module(name='exact')
class ExactGradient:
    """The gradient that autograd would give with all patches in memory at once.

    Every patch is encoded without graph, scored, and encoded again with graph. Those whose graphs are
    kept are encoded once, and so are all of a batch of no more patches than a chunk. There is one
    inner iteration per batch; sampling plays no part.

    Args:
        chunk_size: Patches that go through theta1 at once. Changes speed and memory, never the
            result (but for the random numbers of dropout).
        graphs: Patches whose graphs are kept for their backward pass; memory that saves time. Detection
            has use for those of about two rows of patches, other tasks for all.
        latent: Where features wait, the arguments of :class:`mmpatch.patching.Storage`.

    Raises:
        ValueError: If the chunk size is below 1, or the number of graphs below 0.
    """

    samples = False

    def __init__(
        self, chunk_size: int = 1, graphs: int = 0, latent: dict[str, Any] | None = None
    ) -> None:
        self.work = Workload(chunk_size, graphs)
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
        losses, self.work = with_less_work(
            passes, self.work, lambda work: self._gradient(passes, work)
        )
        return passes.step(losses)

    def rehearse(self, passes: Passes, draws: Sequence[Tensor], work: Workload) -> None:
        """Compute as much of the gradient as shows its highest memory, and make no step."""
        last_chunk = -(-passes.chunk_order(work.chunk_size).capacity // work.chunk_size)
        self._gradient(passes, work, last_chunk)

    def waiting(self, passes: Passes, draws: Sequence[Tensor], chunk_size: int) -> int:
        """Patches between their encoding and their backward pass, at most."""
        if self._streams(passes.model):
            return passes.chunk_order(chunk_size).capacity
        return len(passes.group.part(passes.batch.all_patches))

    def _gradient(self, passes: Passes, work: Workload, last_chunk: int | None = None) -> Losses:
        """The gradient, in the order that remembers the least."""
        model, batch = passes.model, passes.batch
        if self._streams(model):
            return streamed(passes, self.storage, work, last_chunk)
        if model.needs_sums and model.loss_scope == 'patch':
            return one_by_one(passes, self.storage, work)
        latent = Latent(batch, storage=self.storage)
        return two_pass(passes, latent, batch.all_patches, batch.all_patches, work)

    @staticmethod
    def _streams(model: PatchModel[Any]) -> bool:
        """Whether a patch waits for no more than its neighbours."""
        return not model.needs_sums and model.loss_scope != 'image'
