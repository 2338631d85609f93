"""A single-stage detector that is trained patch by patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.detectors import SingleStageDetector
from torch import Tensor

from mmpatch.models.patch_model import PatchModelMixin, check_strides
from mmpatch.models.protocol import Totals
from mmpatch.patching import Features, Latent, PatchBatch, Reach
from mmpatch.registry import MODELS


@MODELS.register_module()
class PatchDetector(PatchModelMixin, SingleStageDetector):
    """theta1: backbone, neck and the head's towers. theta2: the head's aggregator and last layers.

    Under :class:`mmpatch.PatchGDTrainLoop` only the sampled patches carry gradient. Under a stock
    loop ``loss`` holds all patches in memory at once; that is the reference which the patch-wise
    gradients are compared with.

    Args:
        backbone, neck, train_cfg, test_cfg, data_preprocessor, init_cfg: As in
            :class:`mmdet.models.SingleStageDetector`.
        bbox_head: A patch-wise head, such as ``dict(type='mmpatch.PatchFCOSHead', ...)``.
        patch_size, halo, blend, chunk_size, global_patch, small_images: See :class:`PatchModelMixin`.

    Raises:
        ValueError: If the strides of the head do not divide the patch size or the halo, or a
            patch has fewer cells on its coarsest level than theta2 reads of its neighbour.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any] | None = None,
        bbox_head: dict[str, Any] | None = None,
        *args: Any,
        patch_size: int,
        halo: int = 0,
        global_patch: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            backbone,
            neck,
            {**(bbox_head or {}), 'global_patch': global_patch},
            *args,
            patch_size=patch_size,
            halo=halo,
            global_patch=global_patch,
            **kwargs,
        )
        if not hasattr(self.bbox_head, 'towers'):
            raise TypeError(
                'PatchDetector needs a head that can be split into towers and last layers, such '
                f"as 'mmpatch.PatchFCOSHead'; got {type(self.bbox_head).__name__}"
            )
        strides = self.bbox_head.strides
        check_strides(patch_size, halo, strides)
        if self.bbox_head.layout == 'tile' and patch_size // max(strides) < self.bbox_head.radius:
            raise ValueError(
                f'a patch of {patch_size} px has {patch_size // max(strides)} cell(s) a side at '
                f'stride {max(strides)}, but the last layers read {self.bbox_head.radius} cells '
                f'of the neighbouring patch: use patch_size >= '
                f'{self.bbox_head.radius * max(strides)}, or drop the coarsest level'
            )

    @property
    def reach(self) -> Reach:
        """theta2 sees a patch and its neighbours alone, unless patches are stacked."""
        return Reach.NEIGHBOURS if self.bbox_head.layout == 'tile' else Reach.EVERYTHING

    def extract_patches(self, patches: Tensor) -> Features:
        """Backbone, neck and towers, (K, C, side, side) -> 2L maps (K, F, h_l, w_l)."""
        patches = patches.contiguous(memory_format=self.memory_format)
        features: Features = self.bbox_head.towers(self.extract_feat(patches))
        strides = [*self.bbox_head.strides, *self.bbox_head.strides]
        count, side = len(patches), patches.shape[-1]
        expected = [(count, side // s, side // s) for s in strides]
        got = [(len(f), *f.shape[2:]) for f in features]
        if got != expected:
            raise ValueError(
                f'{type(self.bbox_head).__name__}.towers must return {len(expected)} maps for '
                f'{count} windows of {side} px, (windows, h, w) = {expected}, those of the class '
                f'tower first; it returned {got}'
            )
        return features

    def cut(self, inputs: Sequence[Tensor], data_samples: Sequence[Any]) -> PatchBatch:
        """Cut the images (C, H, W) of a training batch and prepare its labels."""
        batch = self.cut_images(inputs)
        batch.targets = self.bbox_head.prepare(batch, data_samples)
        return batch

    def scored(self, batch: PatchBatch, chosen: Tensor) -> Tensor:
        """Frames whose loss an inner iteration on the patches ``chosen`` counts; (S,)."""
        scored: Tensor = self.bbox_head.scored(batch, chosen)
        return scored

    def loss_at(
        self,
        batch: PatchBatch,
        latent: Latent,
        context: Features | None,
        scored: Tensor,
        totals: Totals | None = None,
    ) -> dict[str, Tensor]:
        """Shares of the batch's losses at the scored frames."""
        losses: dict[str, Tensor] = self.bbox_head.loss_at(batch, latent, context, scored)
        return losses

    def loss(self, batch_inputs: Sequence[Tensor], batch_data_samples: Any) -> dict[str, Tensor]:
        """Losses of the whole batch with gradient through every patch, all in memory at once."""
        batch = self.cut(batch_inputs, batch_data_samples)
        everything = torch.arange(batch.num_patches)
        latent = Latent.of_live(batch, self.encode(batch, everything))
        scored = self.bbox_head.scored(batch, everything)
        return self.loss_at(batch, latent, self.encode_global(batch), scored)

    def predict(
        self, batch_inputs: Sequence[Tensor], batch_data_samples: Any, rescale: bool = True
    ) -> Any:
        """Detect objects in images (C, H, W) of any size, one image after the other.

        Args:
            batch_inputs: B images as they come from the pipeline.
            batch_data_samples: Their B data samples.
            rescale: Give boxes in pixels of the original images.

        Returns:
            The data samples with ``pred_instances``.
        """
        results = []
        for image, sample in zip(batch_inputs, batch_data_samples):
            batch = self.cut_images([image])
            outs = self._maps(batch)
            results.append(self.bbox_head.predict_image(batch, outs, sample.metainfo, rescale))
        return self.add_pred_to_datasample(batch_data_samples, results)

    def _forward(self, batch_inputs: Sequence[Tensor], batch_data_samples: Any = None) -> Any:
        """Raw maps of theta2 in every frame (mode ``'tensor'``)."""
        return self._maps(self.cut_images(batch_inputs))

    @torch.no_grad()
    def _maps(self, batch: PatchBatch) -> Any:
        """What theta2 gives in every frame."""
        parts = []
        for latent, context, part in self.sweep(batch):
            whole = self.reach is Reach.EVERYTHING
            frames = self.bbox_head.scored(batch, part) if whole else part
            parts.append(self.bbox_head.maps(batch, latent, context, frames))
        return tuple([torch.cat(level) for level in zip(*kind)] for kind in zip(*parts))
