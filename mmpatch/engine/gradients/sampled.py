"""PatchGD: gradient through a few sampled patches at a time."""

from __future__ import annotations

import logging
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmpatch.models.patch_model import training_norms
from mmpatch.models.protocol import PatchModel
from mmpatch.patching import Latent, Reach, Storage
from mmpatch.registry import GRADIENTS

from .base import BatchContext, mean_losses, without_statistics
from .replay import ReplayPass
from .retry import with_smaller_chunks

#: An inner iteration's loss, and its parts for the log.
Losses = tuple[Tensor, dict[str, Tensor]]


@GRADIENTS.register_module(name='sampled')
class SampledGradient:
    """Fill Z without gradient, then J times: encode K patches, write them into Z, step.

    theta1 receives gradient from the K local patches and from the global patch, theta2 from all
    that is scored. What is not sampled is read from Z as it was last encoded.

    Source: Patch Gradient Descent (Gupta et al. 2023, arXiv:2301.13817).

    Args:
        chunk_size: Patches that carry gradient through theta1 at once. None: all K. Fewer cost one
            more forward pass of theta1 and change nothing else.
        latent: Where Z is kept, the arguments of :class:`mmpatch.patching.Storage`.

    Raises:
        ValueError: If the chunk size is below 1.
    """

    samples = True

    def __init__(self, chunk_size: int | None = None, latent: dict[str, Any] | None = None) -> None:
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f'chunk_size must be at least 1 patch or None, got {chunk_size}')
        self.chunk_size = chunk_size
        self.storage = Storage(**(latent or {}))

    def check(self, model: PatchModel) -> None:
        """Warn of BatchNorm in training mode; the training is possible, but not what it seems."""
        names = training_norms(model)
        if names:
            print_log(
                f'{len(names)} BatchNorm layers are in training mode (first: {names[0]}). Each '
                'would normalise by the statistics of the few patches that it happens to see, and '
                'the fill and the gradient pass would see different ones. Set model.norm_eval=True '
                "or use norm_cfg=dict(type='GN', num_groups=32)",
                logger='current',
                level=logging.WARNING,
            )

    def __call__(self, context: BatchContext) -> dict[str, Tensor]:
        """Train on one batch.

        Args:
            context: The batch and its draws.

        Returns:
            Losses of the batch: the mean over its inner iterations.
        """
        model, batch = context.model, context.batch
        with context.timed('fill'):
            latent, model.chunk_size = with_smaller_chunks(
                context, model.chunk_size, lambda chunk: self._fill(context, chunk)
            )
        context.memory['latent'] = latent.nbytes
        everything = model.scored(batch, torch.arange(batch.num_patches))
        parts = []
        for chosen in context.draws:
            with context.timed('inner'):
                loss, logged = self._inner_iteration(context, latent, chosen)
                context.end_inner_iteration(loss)
            share = len(model.scored(batch, chosen)) / len(everything)
            parts.append(({name: value.detach() for name, value in logged.items()}, share))
        return mean_losses(parts)

    def _fill(self, context: BatchContext, chunk_size: int) -> Latent:
        model = context.model
        with context.optim_wrapper.optim_context(model), without_statistics(model):
            return Latent.fill(context.batch, model.encode, chunk_size, self.storage)

    def _inner_iteration(self, context: BatchContext, latent: Latent, chosen: Tensor) -> Losses:
        first = min(self.chunk_size or len(chosen), len(chosen))
        losses, chunk = with_smaller_chunks(
            context, first, lambda chunk: self._gradient(context, latent, chosen, chunk)
        )
        if chunk < first:
            self.chunk_size = chunk
        return losses

    @staticmethod
    def _gradient(context: BatchContext, latent: Latent, chosen: Tensor, chunk: int) -> Losses:
        """The gradient through the chosen patches, with the graphs of one chunk at a time."""
        model = context.model
        latent.gradients = None
        work = ReplayPass(context, latent, chosen, keep=chunk >= len(chosen))
        for part in chosen.split(chunk):
            work.encode(part)
        if model.reach in (Reach.TOTALS, Reach.OWN_TOTALS):
            for part in torch.arange(context.batch.num_patches).split(chunk):
                work.measure(part)
        scored = model.scored(context.batch, chosen)
        for part in [scored] if model.reach is Reach.EVERYTHING else scored.split(chunk):
            work.score(part)
        for part in chosen.split(chunk):
            work.replay(part)
        work.replay_global()
        latent.gradients = None
        assert work.loss is not None
        return work.loss, dict(work.losses)
