"""A single-stage detector that is trained patch by patch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmpatch.models.dense_heads.candidates import split_maps
from mmpatch.models.dense_heads.fcos_targets import FCOSTargets, normalised
from mmpatch.models.patch_model import check_strides
from mmpatch.models.protocol import Sums
from mmpatch.patching import Features, Latent, PatchBatch
from mmpatch.registry import MODELS

from .base_patch_detector import BasePatchDetector


@MODELS.register_module()
class PatchDetector(BasePatchDetector):
    """A detector whose head can be split, patch by patch.

    theta1 is the backbone, the neck and the head's towers. theta2 is the head's last layers and, with
    ``fuse``, its aggregators. Memory does not depend on the size of the image. For other heads of
    mmdet see :class:`mmpatch.PatchStitchedDetector`.

    Under :class:`mmpatch.PatchGDTrainLoop` only the sampled patches carry gradient. Under a stock
    loop ``loss`` holds all patches in memory at once.

    Args:
        backbone, neck, train_cfg, test_cfg, data_preprocessor, init_cfg: As in
            :class:`mmdet.models.SingleStageDetector`.
        bbox_head: :class:`mmpatch.PatchFCOSHead`, or another head that offers its methods.
        global_patch, global_frame, fuse: See :class:`BasePatchDetector`.
        patch_size, halo, test_halo, blend, chunk_size, frozen, norm_eval, channels_last, compile, small_images:
            See :class:`PatchModelMixin`.

    Raises:
        TypeError: If the head cannot be split, or a stride is given beside those of the head.
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
        fuse: bool = False,
        **kwargs: Any,
    ) -> None:
        head = dict(bbox_head or {})
        if not hasattr(MODELS.get(str(head.get('type'))), 'towers'):
            raise TypeError(
                f'PatchDetector splits its head into towers and last layers, but {head.get("type")} '
                "cannot be split: use 'mmpatch.PatchFCOSHead', or keep your head and set "
                "model.type='mmpatch.PatchStitchedDetector'"
            )
        if 'stride' in kwargs:
            raise TypeError('PatchDetector takes the largest of bbox_head.strides: remove stride')
        super().__init__(
            backbone,
            neck,
            {**head, 'fuse': global_patch and fuse},
            *args,
            patch_size=patch_size,
            halo=halo,
            global_patch=global_patch,
            fuse=fuse,
            **kwargs,
        )
        self.loss_region = self.bbox_head.loss_region
        strides, radius = self.bbox_head.strides, self.bbox_head.radius
        check_strides(patch_size, halo, self.test_halo, strides)
        self.stride = max(strides)
        if self.frames is not None:
            self.frames.check_levels(self.bbox_head.regress_ranges)
        if patch_size // max(strides) < radius:
            raise ValueError(
                f'a patch of {patch_size} px has {patch_size // max(strides)} cell(s) a side at '
                f'stride {max(strides)}, but the last layers read {radius} cells of the '
                f'neighbouring patch: use patch_size >= {radius * max(strides)}, or drop the '
                'coarsest level'
            )

    def extract_patches(self, patches: Tensor) -> Features:
        """Backbone, neck and towers, (K, C, side, side) -> 2L maps (K, F, h_l, w_l)."""
        patches = patches.contiguous(memory_format=self.memory_format)
        features: Features = self.bbox_head.towers(self.extract_feat(patches))
        count, side = len(patches), patches.shape[-1]
        cells = [side // stride for stride in self.bbox_head.strides * 2]
        expected = [(count, length, length) for length in cells]
        got = [(len(f), *f.shape[2:]) for f in features]
        if got != expected:
            raise ValueError(
                f'{type(self.bbox_head).__name__}.towers must return {len(expected)} maps for '
                f'{count} windows of {side} px, (windows, h, w) = {expected}, those of the class '
                f'tower first; it returned {got}'
            )
        return features

    def global_features(self, features: Features) -> Features:
        """Features of the global patches and, with ``fuse``, what they add to every patch."""
        return (*features, *self.bbox_head.global_halves(features)) if self.fuse else features

    def cut(self, inputs: Sequence[Tensor], data_samples: Sequence[Any]) -> PatchBatch[FCOSTargets]:
        """Cut the images (C, H, W) of a training batch and assign its labels to points."""
        on_host = [sample.cpu() for sample in data_samples]  # the targets are moved, once
        batch, local, large = self.cut_frames(inputs, on_host)
        return batch.with_targets(self.bbox_head.prepare(batch, local, large))

    def for_iteration(
        self,
        batch: PatchBatch[FCOSTargets],
        patches: Tensor,
        weight: float,
        global_weight: float,
    ) -> PatchBatch[FCOSTargets]:
        """The batch with the normalisers of an inner iteration that scores S patches."""
        if self.bbox_head.normalise_by == 'batch':
            return batch
        local = [batch.targets.boxes[i] for i in patches.tolist()]
        large = batch.targets.boxes[batch.num_patches :]
        parts = [(local, weight), (large, global_weight)]
        return batch.with_targets(normalised(self.bbox_head, batch.targets, parts))

    def patch_losses(
        self,
        batch: PatchBatch[FCOSTargets],
        latent: Latent,
        global_features: Features | None,
        patches: Tensor,
        sums: Sums | None = None,
    ) -> dict[str, Tensor]:
        """Losses at S patches, as shares of the losses of the whole batch."""
        losses: dict[str, Tensor] = self.bbox_head.patch_losses(
            batch, latent, global_features, patches
        )
        return losses

    def global_losses(
        self, batch: PatchBatch[FCOSTargets], global_features: Features
    ) -> dict[str, Tensor]:
        """Losses of the global patches' own objects."""
        if self.frames is None:
            return {}
        losses: dict[str, Tensor] = self.bbox_head.global_losses(batch, global_features)
        return losses

    @torch.no_grad()
    def detect(
        self, batch: PatchBatch[object], metas: Sequence[dict[str, Any]], rescale: bool
    ) -> list[InstanceData]:
        """Detections in each image of a batch."""
        head, global_features = self.bbox_head, None
        local = [head.candidates(meta['img_shape']) for meta in metas]
        for latent, global_features, patches in self.sweep(batch):
            images, counts = batch.image_index[patches].unique_consecutive(return_counts=True)
            parts = split_maps(head.maps(batch, latent, global_features, patches), counts.tolist())
            for image, own, maps in zip(images, patches.split(counts.tolist()), parts):
                local[image].add(maps, batch.origins[own])
        found = [candidates.all() for candidates in local]
        if self.frames is not None and global_features is not None:
            for image, large in enumerate(self._large(batch, global_features)):
                own = self.frames.from_patches(batch.grids[image], found[image])
                found[image] = InstanceData.cat([own, large])
        return [head.post_process(one, meta, rescale) for one, meta in zip(found, metas)]

    @torch.no_grad()
    def sweep_candidates(
        self, batch: PatchBatch[object], first: int = 0
    ) -> Iterator[tuple[int, InstanceData]]:
        """What NMS chooses from, patch by patch, without the detections of global patches.

        Each patch gives the ``nms_pre`` best of each level, so that no memory grows with the image.

        Args:
            batch: The batch.
            first: Flat number of the first patch that is wanted.

        Yields:
            The flat number of a patch, and its candidates with ``bboxes`` in its image [px],
            ``scores`` and ``labels``.
        """
        head = self.bbox_head
        for latent, global_features, patches in self.sweep(batch, first):
            maps = head.maps(batch, latent, global_features, patches)
            for patch, own in zip(patches.tolist(), split_maps(maps, [1] * len(patches))):
                grid, _ = batch.grid_of(patch)
                candidates = head.candidates((grid.height, grid.width))
                candidates.add(own, batch.origins[patch : patch + 1])
                found = candidates.all()
                if self.frames is not None:
                    found = self.frames.from_patches(grid, found)
                yield patch, head.scored(found)

    @torch.no_grad()
    def global_candidates(self, batch: PatchBatch[object]) -> list[InstanceData]:
        """What NMS chooses from in the global patch of each image; none without ``global_frame``."""
        if self.frames is None:
            return []
        global_features = self.encode_global(batch)
        assert global_features is not None
        return [self.bbox_head.scored(large) for large in self._large(batch, global_features)]

    def _large(self, batch: PatchBatch[object], global_features: Features) -> list[InstanceData]:
        """Candidates of each global patch, in coordinates of the images."""
        assert self.frames is not None
        found = []
        maps = split_maps(self.bbox_head.global_maps(global_features), [1] * batch.num_images)
        for grid, own in zip(batch.grids, maps):
            large = self.bbox_head.candidates(grid.global_size)
            large.add(own, torch.zeros(1, 2))
            found.append(self.frames.from_global_patch(grid, large.all()))
        return found

    def _forward(self, batch_inputs: Sequence[Tensor], batch_data_samples: Any = None) -> Any:
        """Raw maps of theta2 at every patch (mode ``'tensor'``)."""
        batch = self.cut_images(batch_inputs)
        with torch.no_grad():
            parts = [self.bbox_head.maps(batch, *part) for part in self.sweep(batch)]
        return tuple([torch.cat(level) for level in zip(*kind)] for kind in zip(*parts))
