"""Any single-stage detector on feature maps that are encoded patch by patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmpatch.models.dense_heads.shapes import with_shapes
from mmpatch.models.frames import Samples
from mmpatch.models.operators import nms_by_class, with_portable_nms
from mmpatch.models.protocol import LossScope, Sums
from mmpatch.patching import Features, Latent, PatchBatch, PatchGrid
from mmpatch.patching.global_windows import global_windows
from mmpatch.registry import MODELS

from .base_patch_detector import BasePatchDetector


@dataclass(frozen=True)
class StitchedTargets:
    """Data samples with what the patches of the B images learn, and what the B global patches do."""

    images: Samples
    global_patches: Samples = ()


@MODELS.register_module()
class PatchStitchedDetector(BasePatchDetector):
    """Any dense head of mmdet, such as RetinaNet's, YOLOX's or CenterNet's, patch by patch.

    theta1 is the backbone and the neck. Its features are put side by side. theta2 is the head as it
    is and, with ``fuse``, one aggregator before it, shared by all levels. All maps of an image, and
    what the head keeps for its backward pass, are in memory at once. The global patch is one more
    image for the head.

    Args:
        backbone, neck, train_cfg, test_cfg, data_preprocessor, init_cfg: As in
            :class:`mmdet.models.SingleStageDetector`.
        bbox_head: Any dense head of mmdet with ``in_channels``.
        aggregator: Settings of the aggregator besides ``channels``, used with ``fuse``;
            :class:`ConvAggregator` without ReLU by default.
        global_patch, global_frame, fuse: See :class:`BasePatchDetector`.
        patch_size, halo, test_halo, stride, blend, chunk_size, frozen, norm_eval, channels_last, compile, small_images:
            See :class:`PatchModelMixin`.
    """

    loss_region = 'full'

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any] | None = None,
        bbox_head: dict[str, Any] | None = None,
        *args: Any,
        global_patch: bool = True,
        fuse: bool = False,
        aggregator: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        head = dict(bbox_head or {})
        super().__init__(
            backbone, neck, head, *args, global_patch=global_patch, fuse=fuse, **kwargs
        )
        if self.bbox_head.test_cfg is not None:
            self.bbox_head.test_cfg = with_portable_nms(self.bbox_head.test_cfg)
        if self.fuse:
            cfg = dict(type='mmpatch.ConvAggregator', relu=False, channels=head['in_channels'])
            self.aggregator = MODELS.build(cfg | (aggregator or {}))

    @property
    def loss_scope(self) -> LossScope:
        """The head reads maps of whole images."""
        return 'image'

    def extract_patches(self, patches: Tensor) -> Features:
        """Backbone and neck, (K, C, side, side) -> maps (K, D, h_l, w_l)."""
        patches = patches.contiguous(memory_format=self.memory_format)
        features = tuple(self.extract_feat(patches))
        side = patches.shape[-1]
        if any(side % length for f in features for length in f.shape[2:]):
            raise ValueError(
                f'backbone and neck must give windows of {side} px maps whose sides divide {side}; '
                f'they gave (h, w) = {[tuple(f.shape[2:]) for f in features]}: use a patch_size '
                'that is a multiple of the largest stride'
            )
        return features

    def global_features(self, features: Features) -> Features:
        """Features of the global patches and, with ``fuse``, what they add to every patch."""
        if not self.fuse:
            return features
        return (*features, *(self.aggregator.global_half(f) for f in features))

    def cut(self, inputs: Sequence[Tensor], data_samples: Samples) -> PatchBatch[StitchedTargets]:
        """Cut the images (C, H, W) of a training batch."""
        batch, local, large = self.cut_frames(inputs, data_samples)
        return batch.with_targets(
            StitchedTargets(
                _with_batch_shape(batch.grids, local), _as_global_patches(batch.grids, large)
            )
        )

    def maps(
        self,
        batch: PatchBatch[object],
        latent: Latent,
        global_features: Features | None,
        images: Sequence[int],
    ) -> list[Tensor]:
        """The head's input for some images, each padded with zeros to the largest.

        Args:
            batch: The batch.
            latent: Z of all patches, (A, D, h_l, w_l) per level.
            global_features: What :meth:`global_features` gives, or None.
            images: S numbers of images.

        Returns:
            (S, D, H_l, W_l) per level.
        """
        levels = []
        for level in range(len(latent.levels)):
            parts = [self._fused(batch, latent, global_features, level, i) for i in images]
            height, width = (max(part.shape[axis] for part in parts) for axis in (2, 3))
            padding = [(0, width - p.shape[3], 0, height - p.shape[2]) for p in parts]
            levels.append(torch.cat([F.pad(p, pad) for p, pad in zip(parts, padding)]))
        return levels

    def _fused(
        self,
        batch: PatchBatch[object],
        latent: Latent,
        global_features: Features | None,
        level: int,
        image: int,
    ) -> Tensor:
        """The head's input for one image and level, (1, D, H_l, W_l)."""
        patches, grid = batch.of_image(image), batch.grids[image]
        windows = latent.windows(level, patches)
        local = grid.merge(windows, crop=False)[None]
        if not self.fuse or global_features is None:
            return local
        cells = windows.shape[-2], windows.shape[-1]
        global_half = global_features[len(latent.levels) + level]
        windows = global_windows(global_half, batch, patches, cells, 0)
        fused: Tensor = self.aggregator(local, grid.merge(windows, crop=False)[None])
        return fused

    def patch_losses(
        self,
        batch: PatchBatch[StitchedTargets],
        latent: Latent,
        global_features: Features | None,
        patches: Tensor,
        sums: Sums | None = None,
    ) -> dict[str, Tensor]:
        """The head's losses of the images that S patches belong to."""
        images = batch.images_of(patches).tolist()
        maps = self.maps(batch, latent, global_features, images)
        losses = self.bbox_head.loss(tuple(maps), [batch.targets.images[image] for image in images])
        return _of_both(losses, batch.targets.images, batch.targets.global_patches)

    def global_losses(
        self, batch: PatchBatch[StitchedTargets], global_features: Features
    ) -> dict[str, Tensor]:
        """The head's losses of the global patches."""
        if self.frames is None:
            return {}
        losses = self.bbox_head.loss(self._own(global_features), batch.targets.global_patches)
        losses = _of_both(losses, batch.targets.global_patches, batch.targets.images)
        return {name.replace('loss', 'loss_global', 1): value for name, value in losses.items()}

    @torch.no_grad()
    def detect(
        self, batch: PatchBatch[object], metas: Sequence[dict[str, Any]], rescale: bool
    ) -> list[InstanceData]:
        """Detections in each image of a batch; maps are put together for one image at a time."""
        ((latent, global_features, _),) = self.sweep(batch)
        found = []
        for image, (grid, meta) in enumerate(zip(batch.grids, metas)):
            maps = self.maps(batch, latent, global_features, [image])
            own = None if global_features is None else self._own(global_features)
            large = None if own is None else tuple(level[image : image + 1] for level in own)
            found.append(self._detect(grid, maps, large, meta, rescale))
        return found

    def _detect(
        self,
        grid: PatchGrid,
        maps: Sequence[Tensor],
        global_maps: Features | None,
        meta: dict[str, Any],
        rescale: bool,
    ) -> InstanceData:
        """Detections in one image, from the head's input for it and for its global patch."""
        sample = DetDataSample(metainfo=meta)
        found: InstanceData
        large: InstanceData
        frames = None if global_maps is None else self.frames
        (found,) = self.bbox_head.predict(
            tuple(maps), _with_batch_shape([grid], [sample]), rescale=rescale and frames is None
        )
        if frames is None or global_maps is None:
            return found
        (large,) = self.bbox_head.predict(
            global_maps, _as_global_patches([grid], [sample]), rescale=False
        )
        found = frames.together(grid, found, large)
        if rescale:
            found.bboxes /= found.bboxes.new_tensor(meta['scale_factor']).repeat(2)
        overlap = self.test_cfg.get('nms', {}).get('iou_threshold', 0.5)
        return nms_by_class(found, overlap, self.test_cfg.get('max_per_img', -1))

    def _own(self, global_features: Features) -> Features:
        """What the head reads of the global patches' features: not what they add to the patches."""
        return global_features[: len(global_features) // 2] if self.fuse else global_features

    def _forward(self, batch_inputs: Sequence[Tensor], batch_data_samples: Any = None) -> Any:
        """What the head gives for its maps (mode ``'tensor'``)."""
        batch = self.cut_images(batch_inputs)
        with torch.no_grad():
            ((latent, global_features, _),) = self.sweep(batch)
            maps = self.maps(batch, latent, global_features, range(batch.num_images))
            return self.bbox_head(tuple(maps))


def _of_both(losses: dict[str, Any], own: Samples, other: Samples) -> dict[str, Any]:
    """A head's losses of one frame, as part of the losses of images and global patches.

    A head divides by the objects (or their anchors) in the maps that it is given. Maps of the two frames
    differ in size, so it gets them one after the other. As maps of one batch, their losses would be
    divided by the objects of both.
    """
    objects, others = (sum(len(s.gt_instances) for s in samples) for samples in (own, other))
    share = max(objects, 1) / max(objects + others, 1)  # a head divides by 1 where nothing is
    return {
        name: [part * share for part in value] if isinstance(value, list) else value * share
        for name, value in losses.items()
    }


def _with_batch_shape(grids: Sequence[PatchGrid], samples: Samples) -> Samples:
    """The data samples, with the size to which the images of their batch are padded."""
    height = max(grid.rows * grid.patch_size for grid in grids)
    width = max(grid.cols * grid.patch_size for grid in grids)
    return [with_shapes(sample, (height, width)) for sample in samples]


def _as_global_patches(grids: Sequence[PatchGrid], samples: Samples) -> Samples:
    """The data samples, with the sizes of the global patches of their images."""
    shaped = []
    for grid, sample in zip(grids, samples):
        shaped.append(with_shapes(sample, (grid.patch_size, grid.patch_size)))
        shaped[-1].set_metainfo(dict(img_shape=grid.global_size))
    return shaped
