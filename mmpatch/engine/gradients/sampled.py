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

from .orders import global_alone, two_pass
from .passes import Losses, Passes, total
from .retry import with_less_work
from .workload import Workload


@GRADIENTS.register_module(name='sampled')
class SampledGradient:
    """Fill Z without gradient, then J times: encode K patches, write them into Z, step.

    theta1 receives gradient from the K local patches and from the global patch, theta2 from all
    scored patches. A global patch that theta2 does not read at the patches is encoded for its own
    losses alone, in the first inner iteration; an empty draw leaves that iteration to it. The other
    patches are read from Z as they were last encoded. The loss of an inner iteration is weighted
    such that the mean over all is the loss of the batch, unless the model normalises each by what
    it scores. Learning rates thus mean what they mean for a stock model, whatever share of the
    patches is sampled.

    Source: Patch Gradient Descent (Gupta et al. 2023, arXiv:2301.13817).

    Args:
        chunk_size: Patches that carry gradient through theta1 at once. None: all K and the global
            patches. Fewer cost one more forward pass of those that are left and change nothing else.
        graphs: With a chunk size, the patches whose graphs are kept all the same; they are encoded once.
        latent: Where Z is kept, the arguments of :class:`mmpatch.patching.Storage`.
        fill: Encode all patches at the start of a batch. False: start with an empty Z, in which a
            patch that was not sampled yet reads like the border of the image. This saves the fill
            where a loss reads of its neighbours no more than a margin, as FCOS's does.

    Raises:
        ValueError: If the chunk size is below 1, or the number of graphs below 0.
    """

    samples = True

    def __init__(
        self,
        chunk_size: int | None = None,
        graphs: int = 0,
        latent: dict[str, Any] | None = None,
        fill: bool = True,
    ) -> None:
        self.work = None if chunk_size is None else Workload(chunk_size, graphs)
        self.storage = Storage(**(latent or {}))
        self.fill = fill

    def check(self, model: PatchModel[Any]) -> None:
        """Warn of BatchNorm in training mode; the training is possible, but not what it seems.

        Raises:
            ValueError: If nothing is to be filled but the loss reads all patches.
        """
        summed = model.needs_sums and model.normalise_by == 'batch'
        if not self.fill and (model.loss_scope == 'image' or summed or model.loss_region == 'full'):
            raise ValueError(
                f'fill=False leaves patches out that were not sampled yet, but the loss of '
                f'{type(model).__name__} reads all patches of an image: set fill=True, or '
                "loss_region='sampled' and normalise_by='iteration' where the model has them"
            )
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
            draws: Flat patch numbers of each inner iteration; none: it trains the global patch.

        Returns:
            Losses of the batch: the mean over its inner iterations.
        """
        latent = self._first_latent(passes)
        scored = [_scored(passes, patches) for patches in draws]
        weight = len(draws) * passes.batch.num_patches / max(sum(map(len, scored)), 1)
        parts = []
        for number, (patches, chosen) in enumerate(zip(draws, scored)):
            global_weight = weight * len(chosen) / passes.batch.num_patches
            if not passes.model.reads_global:  # once a batch will do, with the weight of all J
                global_weight = 0.0 if number else float(len(draws))
            with passes.monitor.timed('inner'):
                losses = self._inner_iteration(
                    passes, latent, patches, chosen, weight, global_weight
                )
                parts.append(passes.step(losses))
        return {name: value / len(draws) for name, value in total(parts).items()}

    def rehearse(self, passes: Passes, draws: Sequence[Tensor], work: Workload) -> None:
        """Compute the gradient of the largest draw, and make no step."""
        latent = self._first_latent(passes)
        patches = max(draws, key=len)
        two_pass(passes, latent, patches, _scored(passes, patches), work)

    def waiting(self, passes: Passes, draws: Sequence[Tensor], chunk_size: int) -> int:
        """Patches between their encoding and their backward pass: this rank's part of a draw."""
        return max(len(passes.group.part(patches)) for patches in draws)

    def _first_latent(self, passes: Passes) -> Latent:
        """Z at the start of a batch. After a retry of the fill, its smaller chunk is kept."""
        if not self.fill:
            return Latent(passes.batch, storage=self.storage)
        with passes.monitor.timed('fill'):
            latent, work = with_less_work(
                passes,
                Workload(passes.model.chunk_size),
                lambda work: passes.fill(self.storage, work.chunk_size),
            )
            passes.model.chunk_size = work.chunk_size
        return latent

    def _inner_iteration(
        self,
        passes: Passes,
        latent: Latent,
        patches: Tensor,
        scored: Tensor,
        weight: float,
        global_weight: float,
    ) -> Losses:
        passes = passes.for_iteration(scored, weight, global_weight)
        if len(patches) == 0:
            return global_alone(passes, global_weight)
        first = self.work or Workload(len(patches) + passes.global_patches)
        losses, work = with_less_work(
            passes,
            first,
            lambda work: two_pass(passes, latent, patches, scored, work, weight, global_weight),
        )
        if work != first:
            self.work = work
        return losses


def _scored(passes: Passes, patches: Tensor) -> Tensor:
    """The patches whose loss counts in an inner iteration on some patches."""
    full = passes.model.loss_region == 'full' and len(patches) > 0
    return passes.batch.all_patches if full else patches
