"""FCOS where images are large and hold hundreds of objects."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.dense_heads import FCOSHead
from mmengine.structures import InstanceData
from torch import Tensor

from mmpatch.models.operators import with_portable_nms
from mmpatch.registry import MODELS

#: (point, object) pairs assigned at once; about 12 float tensors of this size are held.
PAIRS_AT_ONCE = 1 << 20

#: FCOS's focal loss, which runs on every GPU and in every precision.
FOCAL_LOSS = dict(
    type='mmpatch.PatchFocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0
)


@MODELS.register_module()
class LargeImageFCOSHead(FCOSHead):
    """mmdet's :class:`FCOSHead` with bounded memory in target assignment and exact NMS.

    Takes the same arguments and gives the same losses. mmdet's ``FocalLoss`` is replaced by
    :class:`mmpatch.PatchFocalLoss`. Use this head for stock FCOS on large images too.
    """

    def __init__(self, *args: Any, loss_cls: dict[str, Any] | None = None, **kwargs: Any) -> None:
        loss_cls = dict(loss_cls or FOCAL_LOSS)
        if loss_cls['type'] in ('FocalLoss', 'mmdet.FocalLoss'):
            loss_cls['type'] = FOCAL_LOSS['type']
        super().__init__(*args, loss_cls=loss_cls, **kwargs)

    def _get_targets_single(
        self,
        gt_instances: InstanceData,
        points: Tensor,
        regress_ranges: Tensor,
        num_points_per_lvl: list[int],
    ) -> tuple[Tensor, Tensor]:
        """FCOS's assignment in chunks of points, each against the objects that it can meet.

        The stock method holds a dozen (points x objects) tensors at once. A point is assigned to
        an object only if it lies inside its box, so objects away from a chunk are left out.
        """
        counts = [int(n) for n in num_points_per_lvl]
        if len(gt_instances) == 0 or len(points) * len(gt_instances) <= PAIRS_AT_ONCE:
            return self._assign(gt_instances, points, regress_ranges, counts)
        size = max(1, PAIRS_AT_ONCE // len(gt_instances))
        boxes = gt_instances.bboxes
        labels, targets = [], []
        start = 0
        for level, count in enumerate(counts):
            for part in torch.arange(start, start + count, device=points.device).split(size):
                here = points[part]
                low, high = here.amin(dim=0), here.amax(dim=0)
                met = (boxes[:, :2] <= high).all(dim=1) & (boxes[:, 2:] >= low).all(dim=1)
                own = [len(part) if i == level else 0 for i in range(len(counts))]
                label, target = self._assign(gt_instances[met], here, regress_ranges[part], own)
                labels.append(label)
                targets.append(target)
            start += count
        return torch.cat(labels), torch.cat(targets)

    def _assign(
        self, instances: InstanceData, points: Tensor, ranges: Tensor, counts: list[int]
    ) -> tuple[Tensor, Tensor]:
        labels, targets = super()._get_targets_single(instances, points, ranges, counts)
        return labels, targets

    def _bbox_post_process(
        self,
        results: InstanceData,
        cfg: Any,
        rescale: bool = False,
        with_nms: bool = True,
        img_meta: dict[str, Any] | None = None,
    ) -> InstanceData:
        """NMS a class at a time.

        mmcv's batched NMS keeps classes apart by shifting their boxes by multiples of the image
        side, which in fp32 costs whole pixels where images and class counts are large.
        """
        cfg = with_portable_nms(cfg)
        most = cfg.get('max_per_img') or -1
        if most < 0:
            cfg.max_per_img = None  # the host slices by it: -1 would drop the last of each class
        labels = results.labels.unique().tolist() if with_nms else []
        if not labels:
            return super()._bbox_post_process(results, cfg, rescale, with_nms, img_meta)
        parts = []
        for label in labels:
            part = results[results.labels == label]
            part.labels = torch.zeros_like(part.labels)
            part = super()._bbox_post_process(part, cfg, rescale, with_nms, img_meta)
            part.labels = torch.full_like(part.labels, label)
            parts.append(part)
        merged = InstanceData.cat(parts)
        order = merged.scores.argsort(descending=True, stable=True)
        return merged[order[:most] if most > 0 else order]
