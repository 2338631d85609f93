"""mmcv's compiled operators, with replacements for a GPU that mmcv was not compiled for."""

from __future__ import annotations

from typing import Any

import mmcv.ops
import torch
import torchvision.ops
from mmcv.ops import get_compiling_cuda_version
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor


def compiled_for(tensor: Tensor) -> bool:
    """Whether mmcv's operators run where this tensor is.

    Without nvcc, mmcv is compiled for the CPU alone. Its operators then refuse tensors on a GPU.
    """
    return not tensor.is_cuda or get_compiling_cuda_version() != 'not available'


def nms(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    offset: int = 0,
    score_threshold: float = 0.0,
    max_num: int = -1,
) -> tuple[Tensor, Tensor]:
    """Suppress boxes as mmcv does, with torchvision's operator where mmcv's does not run.

    Args:
        boxes: (N, 4), as left, top, right and bottom edge [px].
        scores: (N,).
        iou_threshold: Overlap above which the box with the lower score is dropped.
        offset: A box is ``right - left + offset`` wide [px].
        score_threshold: If positive, boxes that do not score more than this are dropped.
        max_num: If positive, only so many boxes are kept.

    Returns:
        The boxes kept, with their scores in a fifth column, and their numbers; best first.
    """
    if compiled_for(boxes):
        return mmcv.ops.nms(boxes, scores, iou_threshold, offset, score_threshold, max_num)
    lowest = score_threshold if score_threshold > 0 else float('-inf')
    candidates = (scores > lowest).nonzero().squeeze(1)
    edges = boxes + boxes.new_tensor([0, 0, offset, offset])
    kept = torchvision.ops.nms(edges[candidates], scores[candidates], iou_threshold)
    kept = candidates[kept[:max_num] if max_num > 0 else kept]
    return torch.cat([boxes[kept], scores[kept, None]], dim=1), kept


def with_portable_nms(cfg: Any) -> ConfigDict:
    """Return the settings of a head's prediction with :func:`nms` in place of mmcv's.

    Other kinds of suppression stay as they are: mmcv computes ``soft_nms`` on the CPU anyway.

    Args:
        cfg: The ``test_cfg``. Its ``nms.type`` may be a function: mmcv's ``batched_nms`` calls it.
    """
    cfg = ConfigDict(cfg)
    settings = cfg.get('nms')
    if settings is not None and settings.get('type', 'nms') == 'nms':
        cfg.nms = ConfigDict(settings, type=nms)
    return cfg


def nms_by_class(found: InstanceData, iou_threshold: float, max_num: int = -1) -> InstanceData:
    """Suppress detections of one class by each other, best first.

    Args:
        found: Detections with ``bboxes`` (N, 4), ``scores`` and ``labels``.
        iou_threshold: Overlap above which the box with the lower score is dropped.
        max_num: If positive, only so many detections are kept in all.
    """
    kept = []
    for label in found.labels.unique():
        (numbers,) = (found.labels == label).nonzero(as_tuple=True)
        chosen = nms(found.bboxes[numbers], found.scores[numbers], iou_threshold)[1]
        kept.append(numbers[chosen])
    if not kept:
        return found
    numbers = torch.cat(kept)
    order = numbers[found.scores[numbers].argsort(descending=True, stable=True)]
    best: InstanceData = found[order[:max_num] if max_num > 0 else order]
    return best
