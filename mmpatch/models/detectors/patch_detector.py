"""A single-stage detector that is trained patch by patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.detectors import SingleStageDetector
from torch import Tensor

from mmpatch.models.dense_heads.stitched_head import StitchedHead
from mmpatch.models.patch_model import PatchModelMixin, check_strides
from mmpatch.models.protocol import Totals
from mmpatch.patching import Features, Latent, PatchBatch, Reach
from mmpatch.registry import MODELS


@MODELS.register_module()
class PatchDetector(PatchModelMixin, SingleStageDetector):
    """Any single-stage detector of mmdet, patch by patch.

    With a head that can be split, :class:`mmpatch.PatchFCOSHead`, theta1 is the backbone, the neck and
    the head's towers, theta2 the head's aggregators and last layers, and memory does not depend on
    the size of the image. With any other head theta1 is the backbone and the neck, theta2 an
    aggregator and the head as it is; feature maps of the whole image are in memory then.

    Under :class:`mmpatch.PatchGDTrainLoop` only the sampled patches carry gradient. Under a stock
    loop ``loss`` holds all patches in memory at once; that is the reference which the patch-wise
    gradients are compared with.

    Args:
        backbone, neck, train_cfg, test_cfg, data_preprocessor, init_cfg: As in
            :class:`mmdet.models.SingleStageDetector`.
        bbox_head: Any dense head of mmdet with ``in_channels``, or ``mmpatch.PatchFCOSHead``.
        aggregator: Before a stock head: settings of its aggregator beside ``channels`` and
            ``global_patch``, :class:`ConvAggregator` without ReLU by default.
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
        aggregator: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        head = dict(bbox_head or {})
        splits = _is_patch_wise(head)
        super().__init__(
            backbone,
            neck,
            {**head, 'global_patch': global_patch} if splits else head,
            *args,
            patch_size=patch_size,
            halo=halo,
            global_patch=global_patch,
            **kwargs,
        )
        self._stitched: StitchedHead | None = None
        if not splits:
            self.aggregator = MODELS.build(
                dict(
                    type='mmpatch.ConvAggregator',
                    relu=False,
                    channels=head['in_channels'],
                    global_patch=global_patch,
                )
                | (aggregator or {})
            )
            self._stitched = StitchedHead(self.bbox_head, self.aggregator)
            return
        if aggregator is not None:
            raise ValueError(
                f'{type(self.bbox_head).__name__} has aggregators of its own: give their settings '
                'to the head, bbox_head=dict(aggregator=...)'
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
    def parts(self) -> Any:
        """theta2, and what of the head belongs to theta1: the head itself if it knows of patches."""
        return self._stitched or self.bbox_head

    @property
    def reach(self) -> Reach:
        """How much of an image the loss of a patch depends on; the head says."""
        reach: Reach = self.parts.reach
        return reach

    def extract_patches(self, patches: Tensor) -> Features:
        """Backbone, neck and the head's part of theta1, (K, C, side, side) -> maps (K, F, h_l, w_l)."""
        patches = patches.contiguous(memory_format=self.memory_format)
        features: Features = self.parts.towers(self.extract_feat(patches))
        count, side = len(patches), patches.shape[-1]
        sides = [f.shape[2] for f in features]
        if self.parts is self.bbox_head:
            sides = [side // stride for stride in self.bbox_head.strides * 2]
        expected = [(count, length, length) for length in sides]
        got = [(len(f), *f.shape[2:]) for f in features]
        if got != expected or any(side % length for length in sides):
            raise ValueError(
                f'{type(self.parts).__name__}.towers must return {len(expected)} maps for '
                f'{count} windows of {side} px, (windows, h, w) = {expected} with sides that '
                f'divide {side}, those of the class tower first; it returned {got}'
            )
        return features

    def cut(self, inputs: Sequence[Tensor], data_samples: Sequence[Any]) -> PatchBatch:
        """Cut the images (C, H, W) of a training batch and prepare its labels."""
        batch = self.cut_images(inputs)
        batch.targets = self.parts.prepare(batch, data_samples)
        return batch

    def scored(self, batch: PatchBatch, chosen: Tensor) -> Tensor:
        """Frames whose loss an inner iteration on the patches ``chosen`` counts; (S,)."""
        scored: Tensor = self.parts.scored(batch, chosen)
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
        losses: dict[str, Tensor] = self.parts.loss_at(batch, latent, context, scored)
        return losses

    def loss(self, batch_inputs: Sequence[Tensor], batch_data_samples: Any) -> dict[str, Tensor]:
        """Losses of the whole batch with gradient through every patch, all in memory at once."""
        batch = self.cut(batch_inputs, batch_data_samples)
        everything = torch.arange(batch.num_patches)
        latent = Latent.of_live(batch, self.encode(batch, everything))
        scored = self.parts.scored(batch, everything)
        return self.loss_at(batch, latent, self.encode_global(batch), scored)

    def predict(
        self, batch_inputs: Sequence[Tensor], batch_data_samples: Any, rescale: bool = True
    ) -> Any:
        """Detect objects in images (C, H, W) of any size, one image after the other.

        Args:
            batch_inputs: B images as they come from the pipeline.
            batch_data_samples: Their B data samples. Without a ``scale_factor`` an image counts as
                not resized.
            rescale: Give boxes in pixels of the original images.

        Returns:
            The data samples with ``pred_instances``.
        """
        results = []
        for image, sample in zip(batch_inputs, batch_data_samples):
            batch = self.cut_images([image])
            outs = self._maps(batch)
            meta = {'scale_factor': (1.0, 1.0), **sample.metainfo}
            results.append(self.parts.predict_image(batch, outs, meta, rescale))
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
            frames = self.parts.scored(batch, part) if whole else part
            parts.append(self.parts.maps(batch, latent, context, frames))
        return tuple([torch.cat(level) for level in zip(*kind)] for kind in zip(*parts))


def _is_patch_wise(head: dict[str, Any]) -> bool:
    """Whether a head of these settings can be split into towers and last layers."""
    found = MODELS.get(str(head.get('type')))
    return found is not None and hasattr(found, 'towers')
