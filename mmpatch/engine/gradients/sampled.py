"""PatchGD: gradient through a few sampled patches at a time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from mmengine.logging import print_log
from torch import Tensor

from mmpatch.models.norms import training_norms
from mmpatch.models.protocol import PatchModel
from mmpatch.patching import Latent, Storage
from mmpatch.registry import GRADIENTS

from .orders import two_pass
from .passes import Losses, Passes, total
from .retry import with_smaller_chunks


@GRADIENTS.register_module(name='sampled')
class SampledGradient:
    """Fill Z without gradient, then J times: encode K patches, write them into Z, step.

    theta1 receives gradient from the K local patches and from the global patch, theta2 from all
    scored patches. The other patches are read from Z as they were last encoded.

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

    def check(self, model: PatchModel[Any]) -> None:
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

    def __call__(self, passes: Passes, draws: Sequence[Tensor]) -> Losses:
        """Compute the gradients of a batch, one per draw, and step.

        Args:
            passes: The batch.
            draws: Flat patch numbers of each inner iteration.

        Returns:
            Losses of the batch: the mean over its inner iterations.
        """
        with passes.monitor.timed('fill'):
            latent = self._fill(passes)
        parts = []
        for patches in draws:
            with passes.monitor.timed('inner'):
                losses = self._inner_iteration(passes, latent, patches)
                passes.step(losses['loss'])
            parts.append(losses)
        scored = sum(len(_scored(passes, patches)) for patches in draws)
        share = scored / passes.batch.num_patches
        return {name: value / share for name, value in total(parts).items()}

    def rehearse(self, passes: Passes, draws: Sequence[Tensor], chunk_size: int) -> None:
        """Compute the gradient of the largest draw, and make no step."""
        latent = self._fill(passes)
        patches = max(draws, key=len)
        two_pass(passes, latent, patches, _scored(passes, patches), chunk_size)

    def _fill(self, passes: Passes) -> Latent:
        """Z of the whole batch; a smaller chunk of the model's is kept for the next batches."""
        latent, passes.model.chunk_size = with_smaller_chunks(
            passes.stepper.parameters,
            passes.model.chunk_size,
            lambda chunk_size: passes.fill(self.storage, chunk_size),
        )
        return latent

    def _inner_iteration(self, passes: Passes, latent: Latent, patches: Tensor) -> Losses:
        scored = _scored(passes, patches)
        first = min(self.chunk_size or len(patches), len(patches))
        losses, chunk_size = with_smaller_chunks(
            passes.stepper.parameters,
            first,
            lambda chunk_size: two_pass(passes, latent, patches, scored, chunk_size),
        )
        if chunk_size < first:
            self.chunk_size = chunk_size
        return losses


def _scored(passes: Passes, patches: Tensor) -> Tensor:
    """The patches whose loss counts in an inner iteration on some patches."""
    return patches if passes.model.loss_region == 'sampled' else passes.batch.all_patches
