"""FCOS on patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmpatch.models.protocol import LossRegion
from mmpatch.patching import Features, Latent, PatchBatch
from mmpatch.patching.global_windows import global_windows
from mmpatch.registry import MODELS

from .candidates import Candidates
from .fcos_loss import Maps, fcos_losses
from .fcos_targets import FCOSTargets, assign_targets, instances_by_patch
from .large_image_fcos_head import LargeImageFCOSHead


@MODELS.register_module()
class PatchFCOSHead(LargeImageFCOSHead):
    """FCOS whose towers belong to theta1 and whose last layers belong to theta2.

    Between the two lies the latent Z. With ``fuse`` there is also one aggregator per tower, shared
    by all levels, which reads local and global features. Without it the layers are those of stock
    FCOS. The last layers may also run on the global patch's own levels, as on a downsampled image.
    Target assignment, box coding and post-processing are FCOS's own. Losses are FCOS's too, with
    the normalisers of the whole batch.

    Sources: FCOS (Tian et al., ICCV 2019); Resource Efficient Perception for Vision Systems,
    section III-B.

    Args:
        aggregator: Settings of :class:`ConvAggregator` besides ``channels``; used with ``fuse``.
        fuse: Let aggregators read the global patch's features; set by :class:`PatchDetector`.
        loss_region: Patches that an inner iteration scores: ``'sampled'``, those that carry
            gradient, or ``'full'``, all of them as in the paper.
        normalise_by: What the losses of a sampled inner iteration are divided by: the points with an
            object in what the ``'iteration'`` scores, as a step on tiles does, or those of the
            whole ``'batch'``. By the batch the mean over inner iterations is the loss of the batch,
            but patches without objects hardly count.

    All other arguments are those of :class:`mmdet.models.FCOSHead`.

    Raises:
        ValueError: If the loss region or the normaliser is unknown.
    """

    def __init__(
        self,
        *args: Any,
        aggregator: dict[str, Any] | None = None,
        fuse: bool = False,
        loss_region: LossRegion = 'sampled',
        normalise_by: Literal['iteration', 'batch'] = 'iteration',
        **kwargs: Any,
    ) -> None:
        if loss_region not in ('full', 'sampled'):
            raise ValueError(f"loss_region must be 'full' or 'sampled', got {loss_region!r}")
        if normalise_by not in ('iteration', 'batch'):
            raise ValueError(f"normalise_by must be 'iteration' or 'batch', got {normalise_by!r}")
        self.normalise_by = normalise_by
        self.aggregator_cfg = dict(aggregator or {})
        self.fuse = fuse
        self.loss_region = loss_region
        super().__init__(*args, **kwargs)

    def _init_layers(self) -> None:
        super()._init_layers()
        #: Cells of the neighbouring patches that theta2 reads: one for the 3 x 3 kernels of the
        #: last layers, and the aggregator's.
        self.radius = 1
        if self.fuse:
            cfg = dict(type='mmpatch.ConvAggregator', channels=self.feat_channels)
            cfg.update(self.aggregator_cfg)
            self.aggregators = nn.ModuleList(MODELS.build(cfg) for _ in ('class', 'box'))
            self.radius += int(self.aggregators[0].radius)  # type: ignore[arg-type]

    # --- theta1 -----------------------------------------------------------------------------

    def towers(self, feats: Sequence[Tensor]) -> Features:
        """The towers, which belong to theta1.

        Args:
            feats: L feature maps of the neck, (K, D, h_l, w_l).

        Returns:
            2L maps (K, F, h_l, w_l): those of the class tower, then those of the box tower.
        """
        out = []
        for tower in (self.cls_convs, self.reg_convs):
            for x in feats:
                for layer in tower:
                    x = layer(x)
                out.append(x)
        return tuple(out)

    def global_halves(self, features: Features) -> Features:
        """What the aggregators add to every patch from 2L maps (B, F, g_l, g_l); the same shapes."""
        count = len(self.strides)
        aggregators: Any = self.aggregators
        return tuple(aggregators[i // count].global_half(f) for i, f in enumerate(features))

    # --- theta2 -----------------------------------------------------------------------------

    def forward_single(
        self, x: tuple[Tensor, Tensor], scale: nn.Module, stride: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """FCOS's last layers on one level; the host's method runs the towers as well.

        Args:
            x: Features of the class tower and of the box tower, (S, F, h, w) each.
            scale: The level's learnt factor of boxes.
            stride: Stride of the level [px].

        Returns:
            Class scores (S, classes, h, w), boxes (S, 4, h, w), centernesses (S, 1, h, w).
        """
        class_features, box_features = x
        boxes = scale(self.conv_reg(box_features))
        if boxes.dtype in (torch.float16, torch.bfloat16):
            boxes = boxes.float()  # exp overflows in half precision
        if self.norm_on_bbox:
            boxes = boxes.clamp(min=0)
            if not self.training:
                boxes = boxes * stride
        else:
            boxes = boxes.exp()
        centers = self.conv_centerness(box_features if self.centerness_on_reg else class_features)
        return self.conv_cls(class_features), boxes, centers

    def maps(
        self,
        batch: PatchBatch[object],
        latent: Latent,
        global_features: Features | None,
        patches: Tensor,
    ) -> Maps:
        """Predictions of theta2 at S patches; they equal theta2 on a stitched Z.

        Args:
            batch: The batch.
            latent: Z with 2L levels, see :meth:`towers`.
            global_features: The same levels of the global patches and, with ``fuse``, 2L more that
                :meth:`global_halves` gives.
            patches: (S,) flat numbers.

        Returns:
            Class scores (S, classes, h_l, w_l), boxes (S, 4, ., .) and centernesses (S, 1, ., .).
        """
        count, r = len(self.strides), self.radius
        if self.fuse and global_features is not None:
            features = self._fused(batch, latent, global_features, patches)
        else:
            around = latent.around(patches)
            features = [around.windows(i, r) for i in range(len(latent.levels))]
        outs = self(list(zip(features[:count], features[count:])))
        scores, boxes, centers = ([x[..., r:-r, r:-r] for x in kind] for kind in outs)
        return scores, boxes, centers

    def _fused(
        self, batch: PatchBatch[object], latent: Latent, global_features: Features, patches: Tensor
    ) -> list[Tensor]:
        """Windows of S patches after the aggregators, (S, F, h_l + 2r, w_l + 2r) a level."""
        r, windows, around = self.radius, [], latent.around(patches)
        global_halves = global_features[len(latent.levels) :]
        for level, cells in enumerate(latent.levels):
            local = around.windows(level, r)
            h, w = cells.shape[-2:]
            global_maps = global_windows(global_halves[level], batch, patches, (h, w), r)
            # theta2 on a stitched Z pads with zeros beyond the grid, after each layer
            inside = around.inside(level, r).to(local)
            x = self.aggregators[level // len(self.strides)](local, global_maps * inside)
            if x.shape != local.shape:
                raise ValueError(
                    f'{type(self.aggregators[0]).__name__} must return maps of the shape of the '
                    f'local ones, {tuple(local.shape)}; it returned {tuple(x.shape)}'
                )
            windows.append(x * inside)
        return windows

    def global_maps(self, global_features: Features) -> Maps:
        """Predictions of the last layers at the global patches' own levels.

        Args:
            global_features: Begin with 2L maps (B, F, g_l, g_l), see :meth:`towers`.

        Returns:
            Class scores (B, classes, g_l, g_l), boxes (B, 4, ., .) and centernesses (B, 1, ., .).
        """
        count = len(self.strides)
        scores, boxes, centers = self(
            list(zip(global_features[:count], global_features[count : 2 * count]))
        )
        return scores, boxes, centers

    # --- loss -------------------------------------------------------------------------------

    @torch.no_grad()
    def prepare(
        self, batch: PatchBatch[object], samples: Sequence[Any], large: Sequence[Any] = ()
    ) -> FCOSTargets:
        """Assign the labels of a batch to the points of its patches, and count what normalises.

        Every rank has to call this equally often, since normalisers are averaged over ranks.

        Args:
            batch: The batch.
            samples: Data samples of the B images, on the host, with what their patches learn.
            large: Data samples of the B global patches, with what these learn; none if they learn
                nothing of their own. See :class:`FrameSplit` for both.
        """
        objects, regions, left_out = (
            instances_by_patch(batch, [s.get(name, InstanceData()) for s in samples])
            + [s.get(name, InstanceData()) for s in large]
            for name in ('gt_instances', 'ignored_instances', 'left_out')
        )
        points = self._points(batch.patch_size, samples[0].gt_instances.bboxes)
        device = self.conv_cls.weight.device
        return assign_targets(self, points, objects, regions, left_out, device)

    def patch_losses(
        self,
        batch: PatchBatch[FCOSTargets],
        latent: Latent,
        global_features: Features | None,
        patches: Tensor,
    ) -> dict[str, Tensor]:
        """FCOS's losses at S patches, as shares of the losses of the whole batch.

        Summed over all patches, and with those of the global patches, they are the losses of stock
        FCOS.
        """
        maps = self.maps(batch, latent, global_features, patches)
        points = self._points(batch.patch_size, maps[0][0])
        return fcos_losses(self, batch.targets, maps, patches, points)

    def global_losses(
        self, batch: PatchBatch[FCOSTargets], global_features: Features
    ) -> dict[str, Tensor]:
        """FCOS's losses at the global patches' own levels.

        Args:
            batch: The batch.
            global_features: See :meth:`global_maps`.
        """
        images = batch.num_patches + torch.arange(batch.num_images)  # their targets come last
        maps = self.global_maps(global_features)
        points = self._points(batch.patch_size, maps[0][0])
        losses = fcos_losses(self, batch.targets, maps, images, points)
        return {name.replace('loss_', 'loss_global_'): value for name, value in losses.items()}

    def _points(self, side: int, like: Tensor) -> list[Tensor]:
        """Feature points (x, y) of a patch, (points_l, 2) per level [px]."""
        sizes = [(side // s, side // s) for s in self.strides]
        points: list[Tensor] = self.prior_generator.grid_priors(
            sizes, dtype=like.dtype, device=like.device
        )
        return points

    # --- prediction -------------------------------------------------------------------------

    def candidates(self, size: tuple[int, int]) -> Candidates:
        """Gathers what the predictions of :meth:`maps` or :meth:`global_maps` give before NMS.

        Args:
            size: Height and width of the image [px].
        """
        return Candidates(self, size)

    def scored(self, found: InstanceData) -> InstanceData:
        """Candidates of :meth:`Candidates.all` with their final scores, ready for NMS."""
        return self._bbox_post_process(found, self.test_cfg, with_nms=False)

    def post_process(
        self, found: InstanceData, meta: dict[str, Any], rescale: bool
    ) -> InstanceData:
        """Detections in one image from its candidates: NMS, and no more than ``max_per_img``.

        Args:
            found: As :meth:`Candidates.all` gives them.
            meta: Meta information of the image, ``scale_factor`` among it.
            rescale: Give boxes in pixels of the original image.
        """
        return self._bbox_post_process(found, self.test_cfg, rescale, with_nms=True, img_meta=meta)
