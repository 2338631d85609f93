"""PatchGD: gradient through a few sampled patches at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from mmpatch.patching import Latent
from mmpatch.registry import GRADIENTS

from .base import BatchContext, mean_losses


@GRADIENTS.register_module(name='sampled')
class SampledGradient:
    """Fill Z without gradient, then J times: encode K patches, write them into Z, step.

    theta1 receives gradient from the K local patches and from the global patch, theta2 from all
    that is scored. What is not sampled is read from Z as it was last encoded.

    Source: Patch Gradient Descent (Gupta et al. 2023, arXiv:2301.13817).
    """

    def __call__(self, context: BatchContext) -> dict[str, Tensor]:
        """Train on one batch.

        Args:
            context: The batch and its draws.

        Returns:
            Losses of the batch: the mean over its inner iterations.
        """
        model, batch, optim = context.model, context.batch, context.optim_wrapper
        with context.timed('fill'), optim.optim_context(model):
            latent = fill_without_statistics(context)
        parts = []
        for chosen in context.draws:
            with context.timed('inner'):
                with optim.optim_context(model):
                    live = model.encode(batch.read(chosen))
                    around = model.encode_global(batch)
                    scored = model.scored(batch, chosen)
                    losses = model.loss_at(batch, latent.with_live(chosen, live), around, scored)
                loss, logged = model.parse_losses(losses)
                context.backward(loss)
                latent.write(chosen, live)
            everything = model.scored(batch, torch.arange(batch.num_patches))
            share = len(scored) / len(everything)
            parts.append(({k: v.detach() for k, v in logged.items()}, share))
        return mean_losses(parts)


def fill_without_statistics(context: BatchContext) -> Latent:
    """Fill Z and leave the running statistics of normalisation layers as they are.

    Layers in training mode still normalise by the statistics of their input, as they will in the
    gradient pass.
    """
    modules = [
        module
        for module in context.model.modules()  # type: ignore[attr-defined]
        if isinstance(module, torch.nn.modules.batchnorm._NormBase) and module.training
    ]
    tracking = [module.track_running_stats for module in modules]
    try:
        for module in modules:
            module.track_running_stats = False
        return Latent.fill(context.batch, context.model.encode, context.model.chunk_size)
    finally:
        for module, value in zip(modules, tracking):
            module.track_running_stats = value
