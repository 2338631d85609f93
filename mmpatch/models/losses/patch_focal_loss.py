"""Focal loss on every GPU, in every precision."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.losses import FocalLoss
from torch import Tensor

from mmpatch.models.operators import compiled_for
from mmpatch.registry import MODELS


@MODELS.register_module()
class PatchFocalLoss(FocalLoss):
    """mmdet's :class:`FocalLoss`, also where mmcv's operator does not run.

    On a GPU the stock loss calls that operator, which does not know bfloat16, and which is missing
    if mmcv was compiled for the CPU alone. This loss computes half precision in float32. Where the
    operator is missing, it takes mmdet's Python version, which needs more memory.
    """

    def forward(self, pred: Tensor, target: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Compute the loss.

        Args:
            pred: Logits, (N, C).
            target: Class of each row, (N,) int64, with C for background; or one-hot, (N, C).
            *args: Weight, average factor and reduction, as in mmdet.
            **kwargs: The same by name.
        """
        if pred.dtype in (torch.float16, torch.bfloat16):
            pred = pred.float()
        if target.dim() < pred.dim() and not compiled_for(pred):
            # mmdet takes its Python version if the target is one-hot. Background has no column.
            target = target[:, None] == torch.arange(pred.shape[1], device=pred.device)
        return super().forward(pred, target, *args, **kwargs)
