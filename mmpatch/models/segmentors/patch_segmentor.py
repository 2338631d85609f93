"""A segmentor that is trained patch by patch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import EncoderDecoder
from mmseg.utils import add_prefix
from torch import Tensor, nn

from mmpatch.models.losses import ImageLosses, PixelAccuracy, summed
from mmpatch.models.patch_model import PatchModelMixin, check_strides
from mmpatch.models.protocol import LossRegion, LossScope, NormaliseBy, Sums
from mmpatch.patching import Features, Latent, PatchBatch
from mmpatch.patching.global_windows import global_windows
from mmpatch.registry import MODELS

from .enlarge import enlarged
from .label_maps import LabelMaps


@MODELS.register_module()
class PatchSegmentor(PatchModelMixin, EncoderDecoder):
    """theta1: a stock segmentor up to a latent. theta2: from local and global latents to classes.

    The class layer of the stock segmentor becomes a 1 x 1 convolution to a few latent channels;
    theta2 is another one, from these and the global patch's to the classes.

    Losses are exact over whole images: Dice and cross entropy depend on an image through sums over
    its pixels, which are measured over all patches before any patch is scored.

    Source: Resource Efficient Perception for Vision Systems, section III-C.

    Args:
        backbone, decode_head, neck, train_cfg, test_cfg, data_preprocessor, pretrained, init_cfg:
            As in :class:`mmseg.models.EncoderDecoder`. Losses of the decode head are those that
            :func:`mmpatch.models.losses.summed` knows.
        auxiliary_head: Has to be None.
        latent_channels: Channels D of the latent.
        latent_stride: Stride of the latent [px]. None: that of the decode head's output. With 1 the
            exact gradient remembers no more of Z than a chunk. A coarser one makes Z smaller where
            it is remembered; logits are interpolated between its cells.
        aggregator: Settings of :class:`mmpatch.LatentClassifier`, ``fusion`` among them.
        global_loss: Weight of the losses of the global patches themselves: what theta2 says from the global
            latent alone, on the downsampled image. A patch alone teaches the global patch no more
            than its own part of it. 0: none, as in the paper.
        loss_region: What an inner iteration scores: ``'sampled'``, the patches that carry gradient,
            or ``'full'``, the whole image as in the paper.
        normalise_by: Which sums an inner iteration takes: over whole images (``'batch'``), so that its gradient is
            part of theirs, or over what it scores (``'iteration'``), as a step on tiles does. The
            latter needs no features of other patches: see ``fill`` of
            :class:`mmpatch.SampledGradient`.
        patch_size, halo, test_halo, stride, blend, chunk_size, global_patch: See
            :class:`PatchModelMixin`.
        frozen, norm_eval, channels_last, compile, small_images: See :class:`PatchModelMixin`.

    Raises:
        ValueError, TypeError: If settings do not fit together.
    """

    def __init__(
        self,
        *args: Any,
        patch_size: int,
        halo: int = 0,
        stride: int = 32,
        global_patch: bool = True,
        latent_channels: int = 8,
        latent_stride: int | None = None,
        aggregator: dict[str, Any] | None = None,
        global_loss: float = 0.0,
        loss_region: LossRegion = 'sampled',
        normalise_by: NormaliseBy = 'batch',
        **kwargs: Any,
    ) -> None:
        if loss_region not in ('full', 'sampled'):
            raise ValueError(f"loss_region must be 'full' or 'sampled', got {loss_region!r}")
        if normalise_by not in ('iteration', 'batch'):
            raise ValueError(f"normalise_by must be 'iteration' or 'batch', got {normalise_by!r}")
        super().__init__(
            *args,
            patch_size=patch_size,
            halo=halo,
            stride=math.lcm(stride, latent_stride or 1),
            global_patch=global_patch,
            **kwargs,
        )
        check_strides(patch_size, halo, self.test_halo, [latent_stride or 1])
        if self.with_auxiliary_head:
            raise ValueError(
                'auxiliary heads read features that are not remembered: set auxiliary_head=None'
            )
        if self.align_corners:
            raise ValueError(
                'align_corners=True makes the place of a cell depend on the size of the image, '
                'which patches cannot share: set decode_head.align_corners=False'
            )
        head = self.decode_head
        if not isinstance(head, BaseDecodeHead) or not isinstance(head.conv_seg, nn.Conv2d):
            raise TypeError(
                'PatchSegmentor needs a decode head that ends in the class layer conv_seg, such as '
                f'FCNHead or ASPPHead; got {type(head).__name__}'
            )
        self.latent_channels = latent_channels
        self.latent_stride = latent_stride
        self.loss_region = loss_region
        self.normalise_by = normalise_by
        self.global_loss = global_loss
        head.conv_seg = nn.Conv2d(head.channels, latent_channels, 1)
        if (head.init_cfg or {}).get('override', {}).get('name') == 'conv_seg':
            head.init_cfg = None  # weights of 0.01 are meant for a layer that no other one follows
        self.aggregator = MODELS.build(
            dict(
                type='mmpatch.LatentClassifier',
                channels=latent_channels,
                out_channels=self.out_channels,
                global_patch=global_patch,
                **(aggregator or {}),
            )
        )
        losses = head.loss_decode
        losses = losses if isinstance(losses, nn.ModuleList) else [losses]
        self._losses = ImageLosses([*map(summed, losses), PixelAccuracy(head.threshold)])

    # --- theta1 -----------------------------------------------------------------------------

    def extract_patches(self, patches: Tensor) -> Features:
        """The stock segmentor up to the latent, (K, C, side, side) -> one map (K, D, h, w)."""
        patches = patches.contiguous(memory_format=self.memory_format)
        latent = self.decode_head(self.extract_feat(patches))
        count, side = len(patches), patches.shape[-1]
        shape = tuple(latent.shape) if isinstance(latent, Tensor) else type(latent).__name__
        wanted = (count, self.latent_channels)
        if not isinstance(latent, Tensor) or shape[:2] != wanted or side % latent.shape[-1]:
            raise ValueError(
                f'{type(self.decode_head).__name__} must return {(*wanted, "h", "w")} for '
                f'{count} windows of {side} px, where h and w divide {side}; it returned {shape}'
            )
        if self.latent_stride is not None:
            cells = side // self.latent_stride
            latent = (
                F.adaptive_avg_pool2d(latent, cells)
                if cells < latent.shape[-1]
                else F.interpolate(latent, size=(cells, cells), mode='bilinear')
            )
        return (latent,)

    # --- theta2 and the loss ----------------------------------------------------------------

    @property
    def loss_scope(self) -> LossScope:
        """A pixel depends on its own cell of Z, or on the cells around it."""
        return 'patch' if self.latent_stride == 1 else 'neighbours'

    @property
    def needs_sums(self) -> bool:
        """Dice and cross entropy depend on sums over whole images."""
        return True

    def maps(
        self,
        batch: PatchBatch[object],
        latent: Latent,
        global_features: Features | None,
        patches: Tensor,
    ) -> Tensor:
        """Logits of S patches in full resolution, (S, classes, P, P)."""
        cells = latent.levels[0].shape[-1]
        stride = batch.patch_size // cells
        margin = int(stride > 1)
        around = latent.around(patches)
        local = around.windows(0, margin)
        global_maps = None
        if global_features is not None:
            global_maps = global_windows(global_features[0], batch, patches, (cells, cells), margin)
        logits: Tensor = self.aggregator(local, global_maps)
        wanted = (len(patches), self.out_channels, *local.shape[2:])
        if tuple(logits.shape) != wanted:
            raise ValueError(
                f'{type(self.aggregator).__name__} must return {wanted}, it returned '
                f'{tuple(logits.shape)}'
            )
        return logits if stride == 1 else enlarged(logits, batch, patches, stride, around.known)

    def cut(self, inputs: Sequence[Tensor], data_samples: Sequence[Any]) -> PatchBatch[LabelMaps]:
        """Cut the images (C, H, W) of a training batch; labels stay where they are."""
        batch = self.cut_images(inputs)
        labels = LabelMaps(
            [s.gt_seg_raster if 'gt_seg_raster' in s else s.gt_sem_seg.data for s in data_samples],
            batch,
            [str(sample.metainfo.get('img_path', 'image')) for sample in data_samples],
            self.num_classes,
            self.decode_head.ignore_index,
        )
        return batch.with_targets(labels)

    def for_iteration(
        self,
        batch: PatchBatch[LabelMaps],
        patches: Tensor,
        weight: float,
        global_weight: float,
    ) -> PatchBatch[LabelMaps]:
        """The batch as an inner iteration sees it that scores S patches."""
        if self.normalise_by == 'batch':
            return batch
        return batch.with_targets(batch.targets.for_iteration(patches))

    def patch_sums(
        self,
        batch: PatchBatch[LabelMaps],
        latent: Latent,
        global_features: Features | None,
        patches: Tensor,
    ) -> Sums:
        """What S patches add to the sums of each loss, (B, k) float64 per loss."""
        logits = self.maps(batch, latent, global_features, patches)
        labels = batch.targets.read(patches, logits.device)
        images = batch.image_index[patches]
        ignore_index = batch.targets.ignore_index
        return self._losses.sums(logits, labels, images, batch.num_images, ignore_index)

    def batch_sums(self, batch: PatchBatch[LabelMaps], parts: Sequence[Sums]) -> Sums:
        """The sums over images that losses are made of, (B, k) float64 per loss."""
        targets = batch.targets
        sums = targets.of_scored(tuple(torch.stack(column).sum(dim=0) for column in zip(*parts)))
        if targets.normalisers is None:  # once per batch, however often its gradient is computed
            targets.normalisers = self._losses.normalisers(sums)
        return self._losses.normalised(sums, targets.normalisers)

    def patch_losses(
        self,
        batch: PatchBatch[LabelMaps],
        latent: Latent,
        global_features: Features | None,
        patches: Tensor,
        sums: Sums | None = None,
    ) -> dict[str, Tensor]:
        """Losses at S patches, as shares of the losses of the whole batch.

        Without ``sums`` the patches count as the whole batch.
        """
        own = self.patch_sums(batch, latent, global_features, patches)
        if sums is None:
            losses = self._losses.values(own)
        else:
            scored = batch.targets.scored
            count = batch.num_patches if scored is None else len(scored)
            own = batch.targets.of_scored(own)
            losses = self._losses.shares(own, sums, len(patches) / count)
            losses = {name: x * (count / batch.num_patches) for name, x in losses.items()}
        return dict(add_prefix(losses, 'decode'))

    def global_losses(
        self, batch: PatchBatch[LabelMaps], global_features: Features
    ) -> dict[str, Tensor]:
        """Losses of the global patches from their own latent, times ``global_loss``."""
        if not self.global_loss:
            return {}
        logits = self.aggregator.of_global(global_features[0])
        labels = batch.targets.read_global(logits.shape[-1], logits.device)
        images = torch.arange(batch.num_images)
        own = self._losses.sums(
            logits, labels, images, batch.num_images, batch.targets.ignore_index
        )
        losses = self._losses.values(own)
        return {
            f'global.{name}': value * self.global_loss if 'loss' in name else value
            for name, value in losses.items()
        }

    # --- prediction -------------------------------------------------------------------------

    def predict(self, inputs: Sequence[Tensor], data_samples: Sequence[Any] | None = None) -> Any:
        """Segment images (C, H, W) of any size.

        Patches of all images go through theta1 together, ``chunk_size`` at a time.

        Args:
            inputs: B images as they come from the pipeline.
            data_samples: Their B data samples, or None.

        Returns:
            Data samples with ``pred_sem_seg`` and ``seg_logits``, as stock segmentors give them.
        """
        results = []
        for i, logits in enumerate(self._forward(inputs)):
            samples = None if data_samples is None else [data_samples[i]]
            results += self.postprocess_result(logits[None], samples)
        return results

    def sweep_logits(
        self, batch: PatchBatch[object], first: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Logits of a batch without gradient, some patches at a time.

        Args:
            batch: The batch.
            first: Flat number of the first patch that is wanted.

        Yields:
            Flat numbers (S,) of patches and their logits (S, classes, P, P).
        """
        with torch.no_grad():
            for latent, global_features, patches in self.sweep(batch, first):
                yield patches, self.maps(batch, latent, global_features, patches)

    def classify(self, logits: Tensor) -> Tensor:
        """Classes (S, h, w) uint8 from logits (S, C, h, w)."""
        if self.out_channels == 1:
            return (logits[:, 0].sigmoid() > self.decode_head.threshold).byte()
        return logits.max(dim=1).indices.byte()

    def _forward(self, inputs: Sequence[Tensor], data_samples: Any = None) -> list[Tensor]:
        """Logits (classes, H, W) of each image, on the host (mode ``'tensor'``)."""
        batch = self.cut_images(inputs)
        maps = [torch.empty(self.out_channels, *image.shape[-2:]) for image in inputs]
        for patches, logits in self.sweep_logits(batch):
            places = zip(batch.image_index[patches].tolist(), batch.origins[patches].tolist())
            for (image, (y, x)), window in zip(places, logits):
                place = maps[image][:, y : y + window.shape[1], x : x + window.shape[2]]
                place.copy_(window[:, : place.shape[1], : place.shape[2]])
        return maps
