"""Labels of a batch, seen from the frames in which predictions are made.

A frame is what a dense head treats as one image of P x P: a patch (``layout='tile'``) or the
whole image resized to a patch (``layout='stack'``). FCOS targets do not change when boxes and
points are moved together, so a patch with its boxes shifted gives the very targets that its
points have in the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmpatch.patching import PatchBatch


@dataclass(frozen=True)
class Frames:
    """Where frames lie in the images of a batch.

    Attributes:
        image_index: Image of every frame.
        offsets: Top left corner (x, y) of every frame [px of the image]; (frames, 2).
        scales: Pixels of the frame a pixel of the image, (x, y); (frames, 2).
        side: Side P of a frame [px].
    """

    image_index: list[int]
    offsets: Tensor
    scales: Tensor
    side: int

    @classmethod
    def tiles(cls, batch: PatchBatch) -> Frames:
        """One frame a patch."""
        offsets = batch.origins.flip(1).double()
        index = batch.image_index.tolist()
        return cls(index, offsets, torch.ones_like(offsets), batch.patch_size)

    @classmethod
    def thumbnails(cls, batch: PatchBatch) -> Frames:
        """One frame an image, the whole of it resized to a patch."""
        scales = [[batch.patch_size / g.width, batch.patch_size / g.height] for g in batch.grids]
        scale = torch.tensor(scales, dtype=torch.float64)
        return cls(list(range(len(scales))), torch.zeros_like(scale), scale, batch.patch_size)

    def instances(self, per_image: Sequence[InstanceData | None]) -> list[InstanceData]:
        """The instances that touch each frame, in its coordinates.

        Args:
            per_image: Instances of every image with ``bboxes`` (n, 4) in image pixels.

        Returns:
            One :class:`InstanceData` a frame, its boxes possibly reaching beyond the frame.
        """
        found = []
        for image, offset, scale in zip(self.image_index, self.offsets, self.scales):
            whole = per_image[image]
            if whole is None or len(whole) == 0:
                found.append(InstanceData() if whole is None else whole)
                continue
            boxes = whole.bboxes
            shift, factor = offset.repeat(2).to(boxes), scale.repeat(2).to(boxes)
            local = (boxes - shift) * factor
            touching = (local[:, 2:] >= 0).all(dim=1) & (local[:, :2] <= self.side).all(dim=1)
            part = whole[touching]
            part.bboxes = local[touching]
            found.append(part)
        return found


@dataclass
class FrameTargets:
    """Labels by frame and the normalisers of the whole batch.

    Attributes:
        instances: Objects of every frame, boxes in its coordinates.
        ignored: For every frame the points inside ignored regions that are no object's, one mask
            (h, w) a level; None where there are none.
        num_pos: Points of every frame that are assigned to an object; (frames,).
        centerness: Sum of their centerness targets; (frames,).
        mean_pos: Assigned points of the whole batch, mean over ranks, at least 1.
        mean_centerness: The same of the centerness sums, at least 1e-6.
    """

    instances: list[InstanceData]
    ignored: list[list[Tensor] | None]
    num_pos: Tensor
    centerness: Tensor
    mean_pos: float
    mean_centerness: float

    def shares(self, scored: Sequence[int]) -> dict[str, float]:
        """Factors from losses normalised by some frames alone to their shares of the batch's."""
        index = torch.as_tensor(scored)
        # mmdet adds eps to every normaliser; it holds the number of points in float32, where eps
        # counts for 1 point and is lost for more.
        eps = torch.finfo(torch.float32).eps
        own_pos = torch.stack((self.num_pos[index].sum(), torch.tensor(self.mean_pos).double()))
        part, whole = (own_pos.clamp(min=1).to(torch.float32) + eps).tolist()
        own = max(float(self.centerness[index].sum()), 1e-6)
        pos, centerness = part / whole, (own + eps) / (self.mean_centerness + eps)
        return {'loss_cls': pos, 'loss_centerness': pos, 'loss_bbox': centerness}


def inside_boxes(points: Tensor, boxes: Any) -> Tensor:
    """Which points (n, 2) lie inside any of the boxes (k, 4); (n,) bool."""
    x, y = points[:, None].unbind(-1)
    x1, y1, x2, y2 = boxes[None].unbind(-1)
    return ((x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)).any(dim=1)
