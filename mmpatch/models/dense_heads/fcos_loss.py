"""FCOS's losses at some patches, with the normalisers of all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.models.dense_heads import FCOSHead
from torch import Tensor

from mmpatch.utils.devices import moved

from .fcos_targets import FCOSTargets

#: Class scores, boxes and centernesses, a list of levels each.
Maps = tuple[list[Tensor], list[Tensor], list[Tensor]]


def fcos_losses(
    head: FCOSHead, targets: FCOSTargets, maps: Maps, patches: Tensor, points: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Losses of S patches, as shares of what the normalisers of the targets count.

    Args:
        head: Has the losses and the coding of boxes.
        targets: Targets of all patches.
        maps: Predictions at the S patches, L levels (S, C, h_l, w_l) each.
        patches: (S,) numbers of the patches in the targets.
        points: Feature points (x, y) of a patch, (points_l, 2) per level [px].
    """
    scores, boxes, centers = map(flattened, maps)
    places = moved(patches, scores.device)
    labels = targets.labels.index_select(0, places).flatten()
    weights = None if targets.weights is None else targets.weights.index_select(0, places).flatten()
    loss_cls = head.loss_cls(scores.flatten(0, 1), labels, weights, avg_factor=targets.num_pos)
    count, chosen = scores.shape[1], patches.tolist()
    pos = torch.cat([targets.points[i] + number * count for number, i in enumerate(chosen)])
    pos_boxes = boxes.flatten(0, 1).index_select(0, pos)
    pos_centers = centers.flatten().index_select(0, pos)
    if len(pos) == 0:  # zero, and part of the graph
        return dict(loss_cls=loss_cls, loss_bbox=pos_boxes.sum(), loss_centerness=pos_centers.sum())
    box_targets = torch.cat([targets.boxes[i] for i in chosen])
    center_targets = head.centerness_target(box_targets)
    pos_points = torch.cat(list(points)).index_select(0, pos % count)
    loss_bbox = head.loss_bbox(
        head.bbox_coder.decode(pos_points, pos_boxes),
        head.bbox_coder.decode(pos_points, box_targets),
        weight=center_targets,
        avg_factor=targets.centerness,
    )
    loss_centerness = head.loss_centerness(pos_centers, center_targets, avg_factor=targets.num_pos)
    return dict(loss_cls=loss_cls, loss_bbox=loss_bbox, loss_centerness=loss_centerness)


def flattened(levels: Sequence[Tensor]) -> Tensor:
    """Maps (S, C, h_l, w_l) of all levels as one tensor (S, points, C)."""
    return torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1)
