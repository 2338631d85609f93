"""Crops of an image and its labels."""

from __future__ import annotations

import copy
from typing import Any

from mmengine.structures import InstanceData, PixelData
from torch import Tensor


def crop_sample(image: Tensor, sample: Any, side: int) -> tuple[Tensor, Any]:
    """Cut the ``side`` x ``side`` px with the most objects out of an image and its labels.

    Args:
        image: (C, H, W).
        sample: Its data sample; boxes and pixel labels are cut, labels of whole images stay.
        side: Side of the crop [px]; smaller images stay as they are.

    Returns:
        Crop and labels.
    """
    height, width = image.shape[-2:]
    objects = sample.get('gt_instances')
    y = x = 0
    if objects is not None and len(objects):
        centres = (objects.bboxes[:, :2] + objects.bboxes[:, 2:]) / 2
        near = (centres[:, None] - centres[None]).abs().amax(dim=2) < side / 2
        best = centres[near.sum(dim=1).argmax()]
        x = int((best[0] - side / 2).clamp(0, max(width - side, 0)))
        y = int((best[1] - side / 2).clamp(0, max(height - side, 0)))
    crop = image[:, y : y + side, x : x + side]
    cut = copy.deepcopy(sample)
    shape = tuple(crop.shape[-2:])
    cut.set_metainfo(dict(img_shape=shape, pad_shape=shape, batch_input_shape=shape))
    for key in ('gt_instances', 'ignored_instances'):
        found = cut.get(key)
        if found is not None and len(found):
            setattr(cut, key, _crop_boxes(found, x, y, shape))
    pixels = cut.get('gt_sem_seg')
    if pixels is not None:
        cut.gt_sem_seg = PixelData(data=pixels.data[..., y : y + side, x : x + side])
    return crop, cut


def _crop_boxes(found: InstanceData, x: int, y: int, shape: tuple[int, ...]) -> InstanceData:
    boxes = found.bboxes - found.bboxes.new_tensor([x, y, x, y])
    boxes[:, 0::2] = boxes[:, 0::2].clamp(0, shape[1])
    boxes[:, 1::2] = boxes[:, 1::2].clamp(0, shape[0])
    found = copy.copy(found)
    found.bboxes = boxes
    return found[(boxes[:, 2:] - boxes[:, :2]).amin(dim=1) > 1]
