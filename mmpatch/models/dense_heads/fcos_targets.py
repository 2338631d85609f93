"""Labels of a batch as a patch-wise FCOS head needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from mmdet.models.dense_heads import FCOSHead
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor

from mmpatch.patching import PatchBatch
from mmpatch.utils.devices import moved


@dataclass
class FCOSTargets:
    """Targets of every patch and the normalisers of the whole batch.

    A patch has ``points`` = sum over levels of h_l * w_l feature points. If the global patches
    learn objects of their own, they come after the A local ones, as patches A to A + B - 1.

    Attributes:
        labels: Class of every point, the number of classes for background; (A [+ B], points) int64.
        weights: 0 for background points that do not count, else 1; (A [+ B], points). None if all
            count.
        points: Numbers of the points with an object, (n,) per patch, ascending.
        boxes: Box targets of these points, (n, 4) per patch.
        num_pos: Number of points with an object, mean over ranks, at least 1; 0-dim float32.
        centerness: Sum of their centerness targets, mean over ranks, at least 1e-6; 0-dim.
    """

    labels: Tensor
    weights: Tensor | None
    points: Sequence[Tensor]
    boxes: Sequence[Tensor]
    num_pos: Tensor
    centerness: Tensor


def instances_by_patch(
    batch: PatchBatch[object], per_image: Sequence[InstanceData]
) -> list[InstanceData]:
    """The instances that touch each patch, in its coordinates.

    FCOS targets do not change when boxes and points are moved together. So a patch with its boxes
    shifted has the very targets that its points have in the whole image.

    Args:
        batch: The patches.
        per_image: Instances of every image with ``bboxes`` (n, 4) [px].

    Returns:
        One :class:`InstanceData` per patch; its boxes may reach beyond the patch.
    """
    found = []
    for image, origin in zip(batch.image_index.tolist(), batch.origins):
        whole = per_image[image]
        if len(whole) == 0:
            found.append(whole)
            continue
        boxes = whole.bboxes - origin.flip(0).repeat(2).to(whole.bboxes)
        touching = (boxes[:, 2:] >= 0).all(dim=1) & (boxes[:, :2] <= batch.patch_size).all(dim=1)
        part = whole[touching]
        part.bboxes = boxes[touching]
        found.append(part)
    return found


def assign_targets(
    head: FCOSHead,
    points: list[Tensor],
    objects: Sequence[InstanceData],
    regions: Sequence[InstanceData],
    left_out: Sequence[InstanceData],
    device: torch.device,
) -> FCOSTargets:
    """Give every point of a batch what it is to predict, by FCOS's own rules.

    All of it is done where points and objects are, on the host; the targets are moved once.

    Background does not count inside ignored regions, nor at the levels that would learn an object
    that is left out, inside its box.

    Args:
        head: Has the rules.
        points: Feature points (x, y) of a patch, (points_l, 2) per level [px].
        objects: Objects of every patch, in its coordinates.
        regions: Ignored regions of every patch.
        left_out: Objects of every patch that another frame learns.
        device: Where the targets are needed.
    """
    all_points = torch.cat(points)
    shape = len(objects), len(all_points)
    labels = torch.full(shape, head.num_classes)
    some = any(map(len, [*regions, *left_out]))
    weights = torch.ones(shape) if some else None
    places = [torch.zeros(0, dtype=torch.long)] * len(objects)
    boxes = [all_points.new_zeros(0, 4)] * len(objects)
    for i, (found, region, left) in enumerate(zip(objects, regions, left_out)):
        if len(found) > 0:
            classes, targets = head.get_targets(points, [found])
            labels[i] = torch.cat(classes)
            places[i] = (labels[i] != head.num_classes).nonzero()[:, 0]
            boxes[i] = torch.cat(targets)[places[i]]
        if weights is not None:
            ignored = _inside(all_points, region) | torch.cat(
                [_inside(level, one) for level, one in zip(points, _by_level(head, left))]
            )
            weights[i, ignored & (labels[i] == head.num_classes)] = 0
    one = torch.ones((), device=device)
    counts = [len(found) for found in places]
    moved_boxes = moved(torch.cat(boxes), device).split(counts)
    targets = FCOSTargets(
        moved(labels, device),
        None if weights is None else moved(weights, device),
        moved(torch.cat(places), device).split(counts),
        moved_boxes,
        one,
        one,
    )
    return normalised(head, targets, [(moved_boxes, 1.0)])


@torch.no_grad()
def normalised(
    head: FCOSHead, targets: FCOSTargets, parts: Sequence[tuple[Sequence[Tensor], float]]
) -> FCOSTargets:
    """Targets with the normalisers of a weighted sum of losses.

    Every rank has to call this equally often.

    Args:
        head: Has the rules.
        targets: The targets.
        parts: Box targets of some patches, (n, 4) each, and the factor of their losses.
    """
    count, centerness = torch.zeros(2, device=targets.labels.device)
    for boxes, weight in parts:
        if boxes:
            count = count + weight * sum(map(len, boxes))
            centerness = centerness + weight * head.centerness_target(torch.cat(list(boxes))).sum()
    least = max(weight for boxes, weight in parts if boxes)
    return replace(
        targets,
        num_pos=reduce_mean(count).clamp(min=least),
        centerness=reduce_mean(centerness).clamp(min=1e-6),
    )


def _by_level(head: FCOSHead, objects: InstanceData) -> list[InstanceData]:
    """The objects that each level would learn at some of the points inside their boxes."""
    if len(objects) == 0:
        return [objects] * len(head.regress_ranges)
    longer = (objects.bboxes[:, 2:] - objects.bboxes[:, :2]).amax(dim=1)
    # The farthest side of a box is between a half and the whole of its longer side away.
    return [objects[(start <= longer) & (longer / 2 <= end)] for start, end in head.regress_ranges]


def _inside(points: Tensor, regions: InstanceData) -> Tensor:
    """Which points (n, 2) lie inside any of some regions; (n,) bool."""
    if len(regions) == 0:
        return points.new_zeros(len(points), dtype=torch.bool)
    return inside_boxes(points, regions.bboxes)


def inside_boxes(points: Tensor, boxes: Tensor) -> Tensor:
    """Which points (n, 2) lie inside any of the boxes (k, 4); (n,) bool."""
    x, y = points[:, None].unbind(-1)
    x1, y1, x2, y2 = boxes[None].unbind(-1)
    return ((x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)).any(dim=1)
