"""FCOS on patches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from mmdet.models.dense_heads import fcos_head
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmpatch.patching import Features, Latent, PatchBatch, Reach
from mmpatch.patching.global_windows import global_windows
from mmpatch.registry import MODELS

from .frames import Frames, FrameTargets, inside_boxes
from .large_image_fcos_head import LargeImageFCOSHead
from .tower_split import TowerSplit

#: Class scores, boxes and centernesses, a list of levels each.
Maps = tuple[list[Tensor], list[Tensor], list[Tensor]]

#: Logit of a class score whose sigmoid and gradient are zero.
NO_OBJECT = -100.0


@MODELS.register_module()
class PatchFCOSHead(LargeImageFCOSHead, TowerSplit):
    """FCOS whose towers belong to theta1 and whose last layers belong to theta2.

    Between the two lies the latent Z and one aggregator for each tower, shared by all levels,
    that fuses local and global features. Losses, box coding and post-processing are FCOS's own.

    Sources: FCOS (Tian et al., ICCV 2019); Resource Efficient Perception for Vision Systems,
    section III-B.

    Args:
        layout: ``'tile'`` keeps the features of a patch at its place. ``'stack'`` lays all patches
            of an image on top of each other (the paper's text, read literally; an ablation).
        aggregator: Settings of :class:`ConvAggregator` (tile) or :class:`StackAggregator`
            (stack), both without ``channels`` and ``global_patch``.
        global_patch: Fuse the features of the global patch; set by :class:`PatchDetector`.
        loss_region: What an inner iteration scores: ``'sampled'``, the patches that carry
            gradient, or ``'full'``, all patches as in the paper. Both with the normalisers of the
            whole batch.

    All other arguments are those of :class:`mmdet.models.FCOSHead`.

    Raises:
        ValueError: If the layout or loss region is unknown or the two do not fit.
    """

    def __init__(
        self,
        *args: Any,
        layout: str = 'tile',
        aggregator: dict[str, Any] | None = None,
        global_patch: bool = True,
        loss_region: str = 'sampled',
        **kwargs: Any,
    ) -> None:
        if layout not in ('tile', 'stack'):
            raise ValueError(f"layout must be 'tile' or 'stack', got {layout!r}")
        if loss_region not in ('full', 'sampled'):
            raise ValueError(f"loss_region must be 'full' or 'sampled', got {loss_region!r}")
        if layout == 'stack' and loss_region == 'sampled':
            raise ValueError(
                "layout='stack' lays all patches on top of each other, so a part of them cannot be "
                "scored alone: set loss_region='full'"
            )
        self.layout = layout
        self.aggregator_cfg = dict(aggregator or {})
        self.global_patch = global_patch
        self.loss_region = loss_region
        super().__init__(*args, **kwargs)

    def _init_layers(self) -> None:
        super()._init_layers()
        cfg = dict(
            type='mmpatch.ConvAggregator' if self.layout == 'tile' else 'mmpatch.StackAggregator',
            channels=self.feat_channels,
            global_patch=self.global_patch,
        )
        cfg.update(self.aggregator_cfg)
        self.aggregators = nn.ModuleList(MODELS.build(cfg) for _ in ('class', 'box'))
        #: Cells of the neighbouring patches that theta2 reads: the aggregator's and, for the
        #: 3 x 3 kernels of the last layers, one more.
        self.radius: int = int(self.aggregators[0].radius) + 1  # type: ignore[arg-type]

    @property
    def reach(self) -> Reach:
        """theta2 sees a patch and its neighbours alone, unless patches are stacked."""
        return Reach.NEIGHBOURS if self.layout == 'tile' else Reach.EVERYTHING

    # --- theta2 -----------------------------------------------------------------------------

    def maps(
        self, batch: PatchBatch, latent: Latent, context: Features | None, scored: Tensor
    ) -> Maps:
        """Predictions of theta2 in some frames.

        Args:
            batch: The patches.
            latent: Z with 2L levels, see :meth:`TowerSplit.towers`.
            context: The same levels of the global patches.
            scored: Flat numbers (S,) of the frames.

        Returns:
            Class scores (S, classes, h_l, w_l), boxes (S, 4, ., .) and centernesses (S, 1, ., .).
        """
        if self.layout == 'stack':
            return self._stacked_maps(batch, latent, context, scored)
        return self._tiled_maps(batch, latent, context, scored)

    def _tiled_maps(
        self, batch: PatchBatch, latent: Latent, context: Features | None, scored: Tensor
    ) -> Maps:
        """theta2 on windows of Z with the margin that it reads; equals theta2 on a stitched Z."""
        count, r = len(self.strides), self.radius
        fused = []
        for level, cells in enumerate(latent.levels):
            local = latent.windows(level, scored, r)
            inside = latent.inside(level, scored, r)
            everywhere = bool(inside.all())
            inside = inside.to(local)
            around = None
            if context is not None:
                h, w = cells.shape[-2:]
                around = global_windows(context[level], batch, scored, (h, w), r)
                around = around if everywhere else around * inside
            x = self.aggregators[level // count](local, around)
            if x.shape != local.shape:
                raise ValueError(
                    f'{type(self.aggregators[0]).__name__} must return maps of the shape of the '
                    f'local ones, {tuple(local.shape)}; it returned {tuple(x.shape)}'
                )
            fused.append(x if everywhere else x * inside)
        outs = self(list(zip(fused[:count], fused[count:])))
        scores, boxes, centers = ([x[..., r:-r, r:-r] for x in kind] for kind in outs)
        return scores, boxes, centers

    def _stacked_maps(
        self, batch: PatchBatch, latent: Latent, context: Features | None, scored: Tensor
    ) -> Maps:
        """theta2 on all patches of an image stacked as channels, one frame an image."""
        count = len(self.strides)
        fused = []
        for level in range(len(latent.levels)):
            aggregate = self.aggregators[level // count]
            images = [
                aggregate(
                    latent.windows(level, batch.of_image(image)),
                    None if context is None else context[level][image : image + 1],
                )
                for image in scored.tolist()
            ]
            fused.append(torch.cat(images))
        scores, boxes, centers = self(list(zip(fused[:count], fused[count:])))
        return scores, boxes, centers

    # --- loss -------------------------------------------------------------------------------

    def frames(self, batch: PatchBatch) -> Frames:
        """The frames in which this layout predicts."""
        return Frames.tiles(batch) if self.layout == 'tile' else Frames.thumbnails(batch)

    def scored(self, batch: PatchBatch, chosen: Tensor) -> Tensor:
        """Frames whose loss an inner iteration on the patches ``chosen`` counts; (S,)."""
        if self.loss_region == 'sampled':
            return chosen
        return torch.arange(batch.num_patches if self.layout == 'tile' else batch.num_images)

    @torch.no_grad()
    def prepare(self, batch: PatchBatch, samples: Sequence[Any]) -> FrameTargets:
        """Bring the labels of a batch into its frames and count what normalises the losses."""
        frames = self.frames(batch)
        instances = frames.instances([s.gt_instances for s in samples])
        regions = frames.instances([s.get('ignored_instances') for s in samples])
        num_pos, centerness = torch.zeros(2, len(instances), dtype=torch.float64)
        ignored: list[list[Tensor] | None] = [None] * len(instances)
        points: list[Tensor] | None = None
        for i, (found, region) in enumerate(zip(instances, regions)):
            if len(found) == 0 and len(region) == 0:
                continue
            if points is None:
                points = self._points(batch.patch_size, found.bboxes)
            labels, targets = self.get_targets(points, [found])
            is_pos = [level != self.num_classes for level in labels]
            if len(region) > 0:
                ignored[i] = [
                    (inside_boxes(p, region.bboxes) & ~pos).reshape(self._cells(batch, level))
                    for level, (p, pos) in enumerate(zip(points, is_pos))
                ]
            pos_targets = torch.cat([t[pos] for t, pos in zip(targets, is_pos)])
            num_pos[i] = len(pos_targets)
            centerness[i] = self.centerness_target(pos_targets).sum()
        device = samples[0].gt_instances.bboxes.device
        sums = reduce_mean(torch.stack((num_pos.sum(), centerness.sum())).to(device))
        mean_pos, mean_centerness = max(float(sums[0]), 1.0), max(float(sums[1]), 1e-6)
        return FrameTargets(instances, ignored, num_pos, centerness, mean_pos, mean_centerness)

    def loss_at(
        self, batch: PatchBatch, latent: Latent, context: Features | None, scored: Tensor
    ) -> dict[str, Tensor]:
        """FCOS's losses in some frames, as shares of the losses of the whole batch.

        Summed over disjoint frames that cover the batch, they are the losses of stock FCOS.
        """
        targets: FrameTargets = batch.targets
        scores, boxes, centers = self.maps(batch, latent, context, scored)
        chosen = scored.tolist()
        for level, score in enumerate(scores):
            masks = [self._ignored_mask(targets.ignored[i], level, score) for i in chosen]
            if any(mask is not None for mask in masks):
                none = score.new_zeros(score.shape[-2:], dtype=torch.bool)
                mask = torch.stack([none if m is None else m for m in masks])
                scores[level] = score.masked_fill(mask[:, None], NO_OBJECT)
        instances = [targets.instances[i] for i in chosen]
        with _local_normalisers():
            losses = self.loss_by_feat(scores, boxes, centers, instances, [{}] * len(chosen))
        for name, share in targets.shares(chosen).items():
            losses[name] = losses[name] * share
        return dict(losses)

    def _points(self, side: int, like: Tensor) -> list[Tensor]:
        sizes = [(side // s, side // s) for s in self.strides]
        points: list[Tensor] = self.prior_generator.grid_priors(
            sizes, dtype=like.dtype, device=like.device
        )
        return points

    def _cells(self, batch: PatchBatch, level: int) -> tuple[int, int]:
        side = batch.patch_size // self.strides[level]
        return side, side

    @staticmethod
    def _ignored_mask(masks: list[Tensor] | None, level: int, like: Tensor) -> Tensor | None:
        return None if masks is None else masks[level].to(like.device)

    # --- prediction -------------------------------------------------------------------------

    def predict_image(
        self, batch: PatchBatch, outs: Maps, meta: dict[str, Any], rescale: bool
    ) -> InstanceData:
        """Detections in one image.

        Args:
            batch: A batch of this one image.
            outs: What :meth:`maps` gives in all of its frames.
            meta: Its meta information, ``img_shape`` and ``scale_factor`` among it.
            rescale: Give boxes in pixels of the original image.
        """
        grid = batch.grids[0]
        if self.layout == 'stack':
            own = meta['scale_factor'] if rescale else (1.0, 1.0)
            side = batch.patch_size
            factor = (side / grid.width * own[0], side / grid.height * own[1])
            meta = {**meta, 'img_shape': (side, side), 'scale_factor': factor}
            rescale = True
        else:
            scores, boxes, centers = (
                [grid.merge(x, crop=False)[None] for x in kind] for kind in outs
            )
            outs = scores, boxes, centers
        found: list[InstanceData] = self.predict_by_feat(
            *outs, batch_img_metas=[meta], rescale=rescale
        )
        return found[0]


@contextmanager
def _local_normalisers() -> Iterator[None]:
    """Let FCOS normalise by what it sees; :meth:`prepare` has reduced over ranks once a batch.

    The stock loss reduces its normalisers in every call, and would wait for ever where ranks score
    different numbers of patches.
    """
    with mock.patch.object(fcos_head, 'reduce_mean', lambda tensor: tensor):
        yield
