"""The exact gradient of a batch in the memory of a chunk of patches."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mmpatch.models.patch_model import training_norms
from mmpatch.models.protocol import PatchModel
from mmpatch.patching import Latent, Reach, Storage
from mmpatch.patching.visits import Stage, in_flight, visits
from mmpatch.registry import GRADIENTS

from .base import BatchContext
from .replay import ReplayPass
from .retry import with_smaller_chunks


@GRADIENTS.register_module(name='exact')
class ExactGradient:
    """The gradient that autograd would give with all patches in memory at once.

    Every patch is encoded without graph, scored, and encoded again with graph. Where its loss
    depends on its neighbours only, that happens in a wavefront over the image, and features and
    their gradients are remembered for about two rows of patches; else for the whole image. A batch
    of no more patches than a chunk keeps its graphs and is encoded once. One inner iteration a
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

    def check(self, model: PatchModel) -> None:
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

    def __call__(self, context: BatchContext) -> dict[str, Tensor]:
        """Train on one batch.

        Args:
            context: The batch.

        Returns:
            Its losses.
        """
        work, self.chunk_size = with_smaller_chunks(
            context, self.chunk_size, lambda chunk: self._gradient(context, chunk)
        )
        assert work.loss is not None
        context.end_inner_iteration(work.loss)
        return dict(work.losses)

    def _gradient(self, context: BatchContext, chunk_size: int) -> ReplayPass:
        model, batch = context.model, context.batch
        order = visits(batch, chunk_size, model.reach)
        latent = Latent(batch, in_flight(order), self.storage)
        work = ReplayPass(context, latent, keep=chunk_size >= batch.num_patches)
        whole = model.reach is Reach.EVERYTHING
        for stage, part in order:
            with context.timed(stage.value):
                if stage is Stage.ENCODE:
                    work.encode(part)
                elif stage is Stage.MEASURE:
                    work.measure(part)
                elif stage is Stage.ENCODE_AGAIN:
                    work.encode_again(part)
                elif stage is Stage.SCORE:
                    work.score(model.scored(batch, part) if whole else part)
                else:
                    work.replay(part)
        with context.timed('replay'):
            work.replay_global()
        return work
